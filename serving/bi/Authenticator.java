package shoplake;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.Iterator;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.security.sasl.AuthenticationException;
import org.apache.hive.service.auth.PasswdAuthenticationProvider;

/**
 * Who may connect: the names and hashed passwords in a file, which serving/bi/access.py writes and which is read at each
 * connection. Spark's Thrift server takes only a Java class for this.
 */
public final class Authenticator implements PasswdAuthenticationProvider {

    public static final String FILE = "shoplake.bi.users";

    public void Authenticate(String user, String password) throws AuthenticationException {
        try {
            Iterator lines = Files.readAllLines(Paths.get(System.getProperty(FILE))).iterator();
            while (lines.hasNext()) {
                String[] told = ((String) lines.next()).split(":"); // user, iterations, salt, hash
                if (told.length == 4 && told[0].equals(user) && matches(told, password)) {
                    return;
                }
            }
        } catch (Exception error) {
            throw new AuthenticationException("the file of users cannot be read", error);
        }
        throw new AuthenticationException("no such user and password");
    }

    private static boolean matches(String[] told, String password) throws Exception {
        byte[] hash = bytes(told[3]);
        int bits = 8 * hash.length;
        PBEKeySpec spec = new PBEKeySpec(password.toCharArray(), bytes(told[2]), Integer.parseInt(told[1]), bits);
        byte[] found = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256").generateSecret(spec).getEncoded();
        return MessageDigest.isEqual(hash, found);
    }

    private static byte[] bytes(String hex) {
        byte[] made = new byte[hex.length() / 2];
        for (int i = 0; i < made.length; i++) {
            made[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return made;
    }
}
