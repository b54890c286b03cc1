// Java's own client, through a proxy: java Get.java PROXY_HOST PROXY_PORT CA URL COUNT
// COUNT requests at once; a line for each: the status, the version that carried it, how many bytes came.
import java.io.FileInputStream;
import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Get {
    public static void main(String[] a) throws Exception {
        var keys = KeyStore.getInstance(KeyStore.getDefaultType());
        keys.load(null, null);
        try (var file = new FileInputStream(a[2])) {
            keys.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(keys);
        var tls = SSLContext.getInstance("TLS");
        tls.init(null, trust.getTrustManagers(), null);
        var client = HttpClient.newBuilder().sslContext(tls).version(HttpClient.Version.HTTP_2)
            .proxy(ProxySelector.of(new InetSocketAddress(a[0], Integer.parseInt(a[1])))).build();
        var all = new ArrayList<CompletableFuture<HttpResponse<byte[]>>>();
        for (int i = 0; i < Integer.parseInt(a[4]); i++) {
            var request = HttpRequest.newBuilder(URI.create(a[3])).POST(HttpRequest.BodyPublishers.ofString("n=" + i)).build();
            all.add(client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray()));
        }
        for (var one : all) {
            var answer = one.get();
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body().length);
        }
    }
}
