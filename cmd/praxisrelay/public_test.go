package main

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/pion/stun/v3"

	"praxisrelay/config"
	"praxisrelay/signal/protocol"
)

// stunServer answers every Binding request with the same address.
func stunServer(t *testing.T, says string) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			request := new(stun.Message)
			if stun.Decode(b[:n], request) == nil {
				mapped := &stun.XORMappedAddress{IP: net.ParseIP(says), Port: 4000}
				_, _ = conn.WriteTo(stun.MustBuild(stun.NewTransactionIDSetter(request.TransactionID), stun.BindingSuccess, mapped).Raw, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// TestPublicAddressIsAskedFor, clients hear it, and nonsense is not taken.
func TestPublicAddressIsAskedFor(t *testing.T) {
	t.Parallel()
	file, folder := writeConfig(t)
	edit(t, file, "relay: {", "relay: {public_address_from: '"+stunServer(t, "203.0.113.9")+"', ")
	var where listening
	d := start(t, program("serve", "--config", file), true, where.read)
	c := minted(t, folder, "a")
	client, _ := turnClient(t, protocol.ICEServer{
		URLs: []string{"turn:" + where.udp[0] + "?transport=udp"}, Username: c.Username, Credential: c.Password,
	}, "udp")
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if got := relayed.LocalAddr().(*net.UDPAddr).IP.String(); got != "203.0.113.9" {
		t.Errorf("the relayed address is %s", got)
	}
	d.stop(t)
	if log := d.stderr.String(); strings.Contains(log, "clients may not arrive") {
		t.Errorf("a warning without reason: %s", log)
	}
	for _, says := range []string{"127.0.0.1", "0.0.0.0", "224.0.0.1", "::1", "::"} {
		file, _ := writeConfig(t)
		edit(t, file, "relay: {", "relay: {public_address_from: '"+stunServer(t, says)+"', ")
		_, stderr, err := run(t, "serve", "--config", file)
		if want := "says " + says + ", which is no address that clients could reach"; err == nil || !strings.Contains(stderr, want) {
			t.Errorf("%v, %q; want %q", err, stderr, want)
		}
	}
}

// TestNameThatLeadsElsewhereIsWarnedOf, and one that leads here is not.
func TestNameThatLeadsElsewhereIsWarnedOf(t *testing.T) {
	for name, want := range map[string]string{
		"127.0.0.1":     "",
		"localhost":     "",
		"relay.invalid": `level=WARN msg="clients may not arrive" name="relay.invalid does not resolve here`, // RFC 6761, section 6.4
	} {
		var log bytes.Buffer
		checkName(t.Context(), config.Config{Name: name}, slog.New(slog.NewTextHandler(&log, nil)))
		if got := log.String(); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
