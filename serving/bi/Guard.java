package shoplake;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.PlanExpression;
import org.apache.spark.sql.catalyst.plans.QueryPlan;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.View;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.internal.SQLConf;
import scala.collection.Iterator;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * What a client may run: queries over the views that were made for it, and questions about these.
 *
 * Spark has no rights of its own: without this, who may ask gold may read any file of the server, such as bronze with its
 * personal data, run programs and change tables. The rule sees each statement with all names resolved, before it is run,
 * and knows what it allows: what is new in a later Spark is refused.
 */
public final class Guard extends AbstractFunction1 {

    private static final Set QUESTIONS = new HashSet(Arrays.asList(new String[] {
        "DescribeColumn", "DescribeColumnCommand", "DescribeDatabaseCommand", "DescribeFunctionCommand",
        "DescribeNamespace", "DescribeQueryCommand", "DescribeRelation", "DescribeRelationJsonCommand",
        "DescribeTableCommand", "ExplainCommand",
        "ResetCommand", "SetCatalogAndNamespace", "SetCatalogCommand", "SetCommand", "SetNamespaceCommand",
        "ShowCatalogsCommand", "ShowColumns", "ShowColumnsCommand", "ShowCreateTable", "ShowCreateTableCommand",
        "ShowCurrentNamespace", "ShowCurrentNamespaceCommand", "ShowFunctions", "ShowFunctionsCommand",
        "ShowNamespaces", "ShowNamespacesCommand", "ShowTableProperties", "ShowTablePropertiesCommand", "ShowTables",
        "ShowTablesCommand", "ShowTablesExtended", "ShowViews", "ShowViewsCommand",
    }));

    private static final Set SOURCES = new HashSet(Arrays.asList(new String[] {
        "CTERelationRef", "CommandResult", "EmptyRelation", "ExternalRDD", "LocalRelation", "LogicalRDD",
        "OneRowRelation", "Range", "ResolvedInlineTable", "ResolvedNamespace", "ResolvedNonPersistentFunc",
        "ResolvedPersistentView", "UnionLoopRef",
    }));

    public Object apply(Object session) {
        return new Rule();
    }

    private static final class Rule extends AbstractFunction1 {

        public Object apply(Object plan) {
            if (SQLConf.get().variableSubstituteEnabled()) {
                throw refused("spark.sql.variable.substitute");
            }
            check((QueryPlan) plan);
            return BoxedUnit.UNIT;
        }
    }

    private static void check(QueryPlan plan) {
        if (plan instanceof View) {
            return;
        }
        String name = plan.getClass().getSimpleName().replace("$", "");
        boolean isCommand = plan instanceof Command;
        if (isCommand && !QUESTIONS.contains(name) || name.equals("ScriptTransformation")) {
            throw refused(name);
        }
        if (!isCommand && plan.children().isEmpty() && !SOURCES.contains(name) && !isLogOfDelta(plan)) {
            throw refused(name);
        }
        Iterator expressions = plan.expressions().iterator();
        while (expressions.hasNext()) {
            check((Expression) expressions.next());
        }
        Iterator children = plan.children().iterator();
        while (children.hasNext()) {
            check((QueryPlan) children.next());
        }
    }

    private static void check(Expression expression) {
        String name = expression.getClass().getSimpleName();
        if (name.contains("Reflect")) {
            throw refused(name);
        }
        if (expression instanceof PlanExpression) {
            check((QueryPlan) ((PlanExpression) expression).plan());
        }
        Iterator children = expression.children().iterator();
        while (children.hasNext()) {
            check((Expression) children.next());
        }
    }

    /** What Delta itself asks about a table, by queries of its own. */
    private static boolean isLogOfDelta(QueryPlan plan) {
        if (!(plan instanceof LogicalRelation) || !(((LogicalRelation) plan).relation() instanceof HadoopFsRelation)) {
            return false;
        }
        HadoopFsRelation files = (HadoopFsRelation) ((LogicalRelation) plan).relation();
        return files.location().getClass().getName().equals("org.apache.spark.sql.delta.DeltaLogFileIndex");
    }

    private static SecurityException refused(String what) {
        return new SecurityException(
            "only queries over the views of gold, silver, ops and kpi are allowed here; this asks for " + what);
    }
}
