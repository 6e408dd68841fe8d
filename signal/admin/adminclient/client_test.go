package adminclient

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnAnswerTakesAsLongAsItComes, but waits no longer than silence for more.
func TestAnAnswerTakesAsLongAsItComes(t *testing.T) {
	const parts = 20
	for name, test := range map[string]struct {
		sent int
		took time.Duration
	}{
		"a slow backup":  {parts, parts * silence * 2 / 3},
		"a stuck backup": {parts / 2, parts/2*silence*2/3 + silence},
		"no answer":      {-1, silence},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				done := make(chan struct{})
				defer func() {
					server.Close()
					<-done
				}()
				go func() {
					defer close(done)
					if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil || test.sent < 0 {
						return
					}
					fmt.Fprintf(server, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", parts)
					for range test.sent {
						time.Sleep(silence * 2 / 3)
						if _, err := fmt.Fprint(server, "x"); err != nil {
							return
						}
					}
				}()
				admin := newClient("/run/admin.sock", func(context.Context) (net.Conn, error) { return client, nil })
				var file bytes.Buffer
				began := time.Now()
				err := admin.Backup(t.Context(), &file)
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				switch complete := test.sent == parts; {
				case complete && (err != nil || file.Len() != parts):
					t.Errorf("%d bytes came: %v", file.Len(), err)
				case !complete && (err == nil || !strings.Contains(err.Error(), "/run/admin.sock is stuck or very busy")):
					t.Errorf("said %v", err)
				}
			})
		})
	}
}
