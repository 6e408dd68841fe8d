package ops

import (
	"crypto/tls"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/pion/stun/v3"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/protocol"
)

// TestBehindNginx runs a real nginx, which names clients in PROXY protocol version 1. As an HTTP
// proxy that puts its own name into Host, it must let WebSockets through.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	nginx := apptest.Tool(t, "nginx", "nginx libnginx-mod-stream")
	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, "listen:\n", "listen:\n  proxy_protocol_from: [127.0.0.2/32]\n")
	s := apptest.NewServed(folder)
	s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
	appliance := strings.TrimSuffix(strings.TrimPrefix(s.URL, "https://"), "/")
	stream, web := apptest.FreeTCP(t), apptest.FreeTCP(t)
	settings := filepath.Join(folder, "nginx.conf")
	apptest.WriteFile(t, settings, strings.NewReplacer("DIR", folder, "STREAM", stream, "WEB", web, "APPLIANCE", appliance).Replace(`
daemon off; master_process off; pid DIR/nginx.pid; error_log stderr notice;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {}
stream { server { listen STREAM; proxy_bind 127.0.0.2; proxy_protocol on; proxy_pass APPLIANCE; } }
http {
	access_log off; client_body_temp_path DIR/a; proxy_temp_path DIR/b; fastcgi_temp_path DIR/c; uwsgi_temp_path DIR/d; scgi_temp_path DIR/e;
	server {
		listen WEB ssl; ssl_certificate DIR/cert.pem; ssl_certificate_key DIR/key.pem;
		location / {
			proxy_pass https://APPLIANCE; proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
		}
	}
}
`), 0o600)
	apptest.Start(t, exec.Command(nginx, "-c", settings, "-e", "stderr"), true, func(line string) bool {
		return strings.Contains(line, "RLIMIT_NOFILE")
	})

	dialer := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}},
		Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(t.Context(), "tcp", stream)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := askBinding(t, conn)
	if client.IP.String() != "127.0.0.7" {
		t.Errorf("the client behind nginx is %v", client)
	}

	trust, err := secrets.Trusting(s.CA, false)
	if err != nil {
		t.Fatal(err)
	}
	socket, _, err := websocket.Dial(t.Context(), "wss://"+web+"/v1/signal", &websocket.DialOptions{
		HTTPClient: trust, Subprotocols: []string{protocol.Subprotocol},
		HTTPHeader: http.Header{"Origin": {"https://" + web}},
	})
	if err != nil {
		t.Fatal(err)
	}
	socket.CloseNow()
}

// askBinding asks over a stream for the address from which it is seen.
func askBinding(t *testing.T, conn net.Conn) (mapped stun.XORMappedAddress) {
	t.Helper()
	if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
		t.Fatal(err)
	}
	answer := stun.New()
	if _, err := answer.ReadFrom(conn); err != nil {
		t.Fatal(err)
	}
	if err := mapped.GetFrom(answer); err != nil {
		t.Fatal(err)
	}
	return mapped
}
