package appliance_test

import (
	"net"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/protocol"
)

// TestPublicAddressIsAskedFor checks that the address is found and given to clients, and that
// nonsense is refused.
func TestPublicAddressIsAskedFor(t *testing.T) {
	t.Parallel()
	file, folder := apptest.WriteConfig(t)
	apptest.Edit(t, file, "relay: {", "relay: {public_address_from: '"+
		apptest.STUNServer(t, "203.0.113.9")+"', ")
	var where apptest.Listening
	d := apptest.Start(t, apptest.Program("serve", "--config", file), true, where.Read)
	c := apptest.DoctorCredential(t, folder, "a")
	client, _ := apptest.TURNClient(t, protocol.ICEServer{
		URLs: []string{"turn:" + where.UDP[0] + "?transport=udp"}, Username: c.Username,
		Credential: c.Password,
	}, "udp")
	relayed, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if got := relayed.LocalAddr().(*net.UDPAddr).IP.String(); got != "203.0.113.9" {
		t.Errorf("the relayed address is %s", got)
	}
	d.Stop(t)
	if log := d.Stderr.String(); strings.Contains(log, "clients may not arrive") {
		t.Errorf("a warning without a reason: %s", log)
	}
	for _, says := range []string{"127.0.0.1", "0.0.0.0", "224.0.0.1", "::1", "::"} {
		file, _ := apptest.WriteConfig(t)
		apptest.Edit(t, file, "relay: {", "relay: {public_address_from: '"+apptest.STUNServer(t, says)+"', ")
		_, stderr, err := apptest.Run(t, "serve", "--config", file)
		if want := "says " + says + ", which clients cannot reach"; err == nil ||
			!strings.Contains(stderr, want) {
			t.Errorf("%v, %q; want %q", err, stderr, want)
		}
	}
}
