// Responsible for a real Iceberg REST catalog for tests, on 127.0.0.1: Iceberg's own servlet over a JDBC catalog in a file.
// Usage: java -cp JARS RestCatalog.java FOLDER [PROPERTY=VALUE ...]. Prints its port on a line.

import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;

public class RestCatalog {
  public static void main(String[] arguments) throws Exception {
    Map<String, String> properties = new HashMap<>();
    properties.put("uri", "jdbc:sqlite:" + arguments[0] + "/rest.db?busy_timeout=20000");
    properties.put("warehouse", "file://" + arguments[0] + "/warehouse");
    properties.put("jdbc.schema-version", "V1");
    for (int place = 1; place < arguments.length; place += 1) {
      String[] property = arguments[place].split("=", 2);
      properties.put(property[0], property[1]);
    }
    JdbcCatalog catalog = new JdbcCatalog();
    catalog.setConf(new Configuration());
    catalog.initialize("backend", properties);
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler handler = new ServletContextHandler();
    handler.addServlet(new ServletHolder(new RESTCatalogServlet(new RESTCatalogAdapter(catalog))), "/*");
    server.setHandler(handler);
    server.start();
    System.out.println(connector.getLocalPort());
    // The tests end this process by closing its input.
    while (System.in.read() >= 0) {}
    System.exit(0);
  }
}
