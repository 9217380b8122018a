package shoplake;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.PlanExpression;
import org.apache.spark.sql.catalyst.plans.QueryPlan;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.View;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.catalyst.trees.TreeNode;
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
 * personal data, run programs and change tables. Each statement is looked at with all names resolved, before it is run, by
 * what is allowed: what is new in a later Spark is refused.
 */
public final class Guard {

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

    /** Guard the sessions that will be made with these extensions. */
    public void watch(SparkSessionExtensions extensions) {
        extensions.injectCheckRule(new AbstractFunction1() {
            public Object apply(Object session) {
                return new Statements();
            }
        });
        extensions.injectPlanNormalizationRule(new AbstractFunction1() {
            public Object apply(Object session) {
                return new Reads();
            }
        });
    }

    /** At the end of analysis, before a command is run. What a view reads is analysed by itself, so it is seen here too. */
    private static final class Statements extends AbstractFunction1 {

        public Object apply(Object plan) {
            if (SQLConf.get().variableSubstituteEnabled()) {
                throw refused("spark.sql.variable.substitute");
            }
            check((QueryPlan) plan, plan instanceof Command);
            return BoxedUnit.UNIT;
        }
    }

    /** Before a query is optimised: what it reads stands below the views that it names. */
    private static final class Reads extends Rule {

        public TreeNode apply(TreeNode plan) {
            check((QueryPlan) plan, true);
            return plan;
        }
    }

    private static void check(QueryPlan plan, boolean ofSources) {
        if (plan instanceof View) {
            return;
        }
        String name = plan.getClass().getSimpleName().replace("$", "");
        boolean isCommand = plan instanceof Command;
        if (isCommand && !QUESTIONS.contains(name) || name.equals("ScriptTransformation")) {
            throw refused(name);
        }
        boolean isSource = ofSources && !isCommand && plan.children().isEmpty();
        if (isSource && !SOURCES.contains(name) && !isLogOfDelta(plan)) {
            throw refused(name);
        }
        Iterator expressions = plan.expressions().iterator();
        while (expressions.hasNext()) {
            check((Expression) expressions.next(), ofSources);
        }
        Iterator children = plan.children().iterator();
        while (children.hasNext()) {
            check((QueryPlan) children.next(), ofSources);
        }
    }

    private static void check(Expression expression, boolean ofSources) {
        String name = expression.getClass().getSimpleName();
        if (name.contains("Reflect")) {
            throw refused(name);
        }
        if (expression instanceof PlanExpression) {
            check((QueryPlan) ((PlanExpression) expression).plan(), ofSources);
        }
        Iterator children = expression.children().iterator();
        while (children.hasNext()) {
            check((Expression) children.next(), ofSources);
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
