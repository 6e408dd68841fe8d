package turn

import (
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/relay/core"
	"praxisrelay/relay/credential"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
)

// staged is a consultation in which something goes wrong.
type staged struct {
	*testing.T
	*apptest.Served
	folder   string
	id       string
	doctor   adminclient.CreatedSeat
	patient  adminclient.CreatedSeat
	sessions []*client.Session
	servers  []protocol.ICEServer
	ref      string
	want     failure
}

// stage makes an appointment on an appliance.
func stage(t *testing.T, s *apptest.Served, folder, name string, opens time.Time) *staged {
	t.Helper()
	ref := strings.ReplaceAll(name, " ", "-")
	created := s.AppointAs(t, ref, opens, opens.Add(time.Hour))
	return &staged{T: t, Served: s, folder: folder, id: created.ID, doctor: created.Seats[0],
		patient: created.Seats[1], ref: ref}
}

// both takes both seats, and lets the patient in.
func (c *staged) both() {
	c.Helper()
	c.sessions, c.servers = c.Join(c.T, []adminclient.CreatedSeat{c.doctor, c.patient})
}

// enter takes one seat.
func (c *staged) enter(keys code.Keys) *client.Session {
	c.Helper()
	session, err := c.Dialer(c.T).JoinWithKeys(c.Context(), keys)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { session.Close() })
	return session
}

// place makes an allocation for seat 0 or 1.
func (c *staged) place(seat int, transport string) (*turn.Client, net.PacketConn) {
	c.Helper()
	client, _ := apptest.TURNClient(c.T, c.servers[seat], transport)
	relayed, err := client.Allocate()
	if err != nil {
		c.Fatal(err)
	}
	return client, relayed
}

// permitted makes an allocation for both seats, with permissions for each other.
func (c *staged) permitted() (doctor, patient net.PacketConn) {
	c.Helper()
	doctorClient, doctor := c.place(0, "udp")
	patientClient, patient := c.place(1, "udp")
	for client, peer := range map[*turn.Client]net.PacketConn{doctorClient: patient, patientClient: doctor} {
		if err := client.CreatePermission(peer.LocalAddr()); err != nil {
			c.Fatal(err)
		}
	}
	return doctor, patient
}

// says sends a packet several times a second until the test ends.
func (c *staged) says(from, to net.PacketConn, what []byte) {
	apptest.KeepSending(c.T, from, to.LocalAddr(), what)
}

// ask sends a seat's TURN request over UDP from a local address, optionally with a nonce that was
// given to another address. It returns the error code, or zero.
func (c *staged) ask(credential protocol.ICEServer, from, nonceFrom string, method stun.Method,
	setters ...stun.Setter) (code int, answer *stun.Message) {
	c.Helper()
	var server string
	for _, url := range credential.URLs {
		if rest, ok := strings.CutSuffix(url, "?transport=udp"); ok {
			server = strings.TrimPrefix(rest, "turn:")
		}
	}
	to, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		c.Fatal(err)
	}
	exchange := func(address string, request *stun.Message) *stun.Message {
		local, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			c.Fatal(err)
		}
		conn, err := net.DialUDP("udp", local, to)
		if err != nil {
			c.Fatal(err)
		}
		defer conn.Close()
		buf := make([]byte, 2000)
		for range 5 { // datagrams may be lost
			if _, err := conn.Write(request.Raw); err != nil {
				c.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
			if n, err := conn.Read(buf); err == nil {
				answer := &stun.Message{Raw: buf[:n]}
				if err := answer.Decode(); err != nil {
					c.Fatal(err)
				}
				return answer
			}
		}
		c.Fatal("the relay does not answer")
		return nil
	}
	kind := stun.NewType(method, stun.ClassRequest)
	transport := stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}
	challenge := exchange(nonceFrom, stun.MustBuild(stun.TransactionID, kind, transport))
	var nonce stun.Nonce
	if err := nonce.GetFrom(challenge); err != nil {
		c.Fatal(err)
	}
	all := append([]stun.Setter{stun.TransactionID, kind, transport}, setters...)
	answer = exchange(from, stun.MustBuild(append(all, stun.NewUsername(credential.Username),
		stun.NewRealm(core.Realm), nonce,
		stun.NewLongTermIntegrity(credential.Username, core.Realm, credential.Credential))...))
	var refused stun.ErrorCodeAttribute
	if refused.GetFrom(answer) == nil {
		return int(refused.Code), answer
	}
	return 0, answer
}

// refusedWith checks that a request was refused.
func (c *staged) refusedWith(want, got int) {
	c.Helper()
	if got != want {
		c.Fatalf("the relay answered %d, want %d", got, want)
	}
}

// idleCutter is a firewall that cuts idle connections.
func idleCutter(t *testing.T, to string, after time.Duration) (address string) {
	t.Helper()
	return apptest.AcceptHere(t, func(in net.Conn) {
		out, err := net.Dial("tcp", to)
		if err != nil {
			in.Close()
			return
		}
		cut := time.AfterFunc(after, func() { in.Close(); out.Close() })
		pass := func(to, from net.Conn) {
			buf := make([]byte, 2000)
			for {
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				cut.Reset(after)
				_, _ = to.Write(buf[:n])
			}
		}
		go pass(in, out)
		go pass(out, in)
	})
}

// failure is a staged failure and its expected explanation.
type failure struct {
	cause, side, seat string
	english, german   string
	stage             func(c *staged)
}

// explained waits until a consultation is explained as wanted, and checks the command's text in
// both languages.
func (c *staged) explained(want failure) {
	c.Helper()
	var told api.ExplainedAppointment
	var err error
	for began := time.Now(); ; {
		if told, err = c.Admin.Explain(c.Context(), c.id); err != nil {
			c.Fatal(err)
		}
		if told.Cause == want.cause {
			break
		}
		if time.Since(began) > 50*time.Second {
			text, _ := json.MarshalIndent(told, "", " ")
			c.Fatalf("explained as %s of %s, want %s:\n%s", told.Cause, told.Side, want.cause, text)
		}
		<-time.After(100 * time.Millisecond)
	}
	if told.Side != want.side || told.Seat != want.seat {
		c.Errorf("%s is on the side of %q and about %q, want %q and %q", told.Cause, told.Side,
			told.Seat, want.side, want.seat)
	}
	for language, fragment := range map[string]string{"en": want.english, "de": want.german} {
		out, stderr, err := apptest.Run(c.T, "explain", "--socket", c.Socket, c.ref, "--lang", language)
		sentence, rest, _ := strings.Cut(out, "\n")
		if err != nil || !strings.Contains(sentence, fragment) || !strings.Contains(rest, want.cause) {
			c.Errorf("explain --lang %s: %v%s; want something with %q\n%s", language, err, stderr,
				fragment, out)
		}
		if strings.Contains(out, "127.0.0.1") {
			c.Errorf("the text contains an address:\n%s", out)
		}
		c.Logf("%s\n%s", language, out)
	}
}

// TestFailuresAreExplained stages each failure with real clients, and checks that it gets the right
// sentence on the right side.
func TestFailuresAreExplained(t *testing.T) {
	t.Parallel()
	serve := func(settings ...string) (*apptest.Served, string) {
		file, folder := apptest.WriteConfig(t)
		apptest.Edit(t, file, settings...)
		s := apptest.NewServed(folder)
		s.Daemon = apptest.Start(t, apptest.Program("serve", "--config", file), true, s.Serving)
		return s, folder
	}
	normal, folder := serve("relay: {", "relay: {addresses: [192.0.2.1], ")
	small, smallFolder := serve("relay: {",
		"relay: {max_per_seat: 4, max_allocations: 6, ")
	families, familiesFolder := serve("relay: {", "relay: {addresses: [192.0.2.1, '2001:db8::1'], ")
	forgets, forgetsFolder := serve("relay: {", "relay: {addresses: [192.0.2.1], ")
	drains, drainsFolder := serve("relay: {", "relay: {addresses: [192.0.2.1], ")

	// All are staged before any is checked: most need ten seconds or more to differ from a
	// connection that is still being made.
	scenes := map[string]*staged{}
	set := func(name string, s *apptest.Served, folder string, f failure) {
		opens := time.Now()
		if name == "too early" {
			opens = opens.Add(time.Hour)
		}
		c := stage(t, s, folder, name, opens)
		f.stage(c)
		c.want, scenes[name] = f, c
	}
	for name, f := range map[string]failure{
		"nobody came": {"nobody-joined", "nobody", "", "Nobody has joined", "Niemand hat", func(*staged) {}},
		"the patient did not come": {"not-joined", "nobody", "patient",
			"The patient has not joined yet", "Die Patientenseite hat noch nicht teilgenommen", func(c *staged) {
				c.enter(c.doctor.Keys)
			}},
		"too early": {"too-early", "patient", "patient", "The patient's code was used at",
			"vor Beginn des Termins", func(c *staged) {
				if refused := c.Refusal(c.T, c.patient.Keys); refused.Code != protocol.TooEarly {
					c.Fatal(refused)
				}
			}},
		"not let in": {"not-let-in", "doctor", "patient", "The practice has to let them in",
			"Die Praxis muss sie einlassen", func(c *staged) {
				c.enter(c.doctor.Keys)
				c.enter(c.patient.Keys)
			}},
		"a second device": {"other-device", "patient", "patient", "on another device",
			"auf einem anderen Gerät", func(c *staged) {
				c.both()
				c.permitted()
				c.enter(c.patient.Keys)
			}},
		"revoked": {"revoked", "nobody", "", "was revoked", "wurde um", func(c *staged) {
			c.both()
			if err := c.Admin.Revoke(c.Context(), c.id); err != nil {
				c.Fatal(err)
			}
		}},
		"nobody reaches the relay": {"all-blocked", "appliance", "", "Neither side reaches the relay",
			"erreicht keine der beiden Seiten", func(c *staged) { c.both() }},
		"only the practice reaches the relay": {"blocked", "patient", "patient",
			"The patient's network lets nothing through", "Das Netz der Patientenseite lässt nichts", func(c *staged) {
				c.both()
				c.place(0, "tls")
			}},
		"an expired credential": {"old-credential", "patient", "patient",
			"a credential that had expired", "mit abgelaufenen Zugangsdaten", func(c *staged) {
				c.both()
				c.place(0, "udp")
				old := c.servers[1]
				expired := apptest.MintCredential(c.T, c.folder,
					credential.Identity{Appointment: c.id, Seat: "patient",
						Expires: time.Now().Add(-time.Minute)})
				old.Username, old.Credential = expired.Username, expired.Password
				client, _ := apptest.TURNClient(c.T, old, "tcp")
				if _, err := client.Allocate(); err == nil {
					c.Fatal("an expired credential makes an allocation")
				}
			}},
		"changing addresses": {"stale-nonce", "patient", "patient", "come from changing addresses",
			"von wechselnden Adressen", func(c *staged) {
				c.both()
				c.place(0, "udp")
				for range 4 {
					code, _ := c.ask(c.servers[1], "127.0.0.1:0", "127.0.0.2:0", stun.MethodAllocate)
					c.refusedWith(438, code)
				}
			}},
		"no such family": {"no-family", "appliance", "patient", "does not have (440)",
			"nicht hat (440)", func(c *staged) {
				c.both()
				c.place(0, "udp")
				code, _ := c.ask(c.servers[1], "127.0.0.1:0", "127.0.0.1:0", stun.MethodAllocate,
					stun.RawAttribute{Type: stun.AttrRequestedAddressFamily, Value: []byte{2, 0, 0, 0}})
				c.refusedWith(440, code)
			}},
		"only strangers": {"no-peer", "patient", "patient", "but never asked for the practice",
			"nie nach der Gegenseite gefragt", func(c *staged) {
				c.both()
				doctor, _ := c.place(0, "udp")
				client, relayed := c.place(1, "udp")
				if err := doctor.CreatePermission(relayed.LocalAddr()); err != nil {
					c.Fatal(err)
				}
				if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(203, 0, 113, 5),
					Port: 5000}); err == nil {
					c.Fatal("a stranger may be reached")
				}
			}},
		"nobody is asked for": {"no-peer", "patient", "patient", "but never asked for the practice",
			"nie nach der Gegenseite gefragt", func(c *staged) {
				c.both()
				doctor, _ := c.place(0, "udp")
				_, relayed := c.place(1, "udp")
				if err := doctor.CreatePermission(relayed.LocalAddr()); err != nil {
					c.Fatal(err)
				}
			}},
		"nothing after the handshake": {"mute", "patient", "patient", "drops what follows",
			"verwirft, was folgt", func(c *staged) {
				c.both()
				doctor, patient := c.permitted()
				c.says(doctor, patient, apptest.ConnectivityCheck)
			}},
		"no camera": {"one-way", "patient", "patient", "camera and microphone are off",
			"Kamera und Mikrofon sind dort aus", func(c *staged) {
				c.both()
				doctor, patient := c.permitted()
				c.says(doctor, patient, apptest.Voice)
				c.says(patient, doctor, apptest.ConnectivityCheck)
			}},
		"a firewall forgets": {"idle-cut", "patient", "patient", "seconds without data",
			"Sekunden ohne Daten", func(c *staged) {
				c.both()
				_, doctor := c.place(0, "udp")
				through := c.servers[1]
				for _, url := range through.URLs {
					if rest, ok := strings.CutSuffix(url, "?transport=tcp"); ok &&
						strings.HasPrefix(rest, "turn:") {
						through.URLs = []string{"turn:" +
							idleCutter(c.T, strings.TrimPrefix(rest, "turn:"), 21*time.Second) +
							"?transport=tcp"}
					}
				}
				client, _ := apptest.TURNClient(c.T, through, "tcp")
				if _, err := client.Allocate(); err != nil {
					c.Fatal(err)
				}
				if err := client.CreatePermission(doctor.LocalAddr()); err != nil {
					c.Fatal(err)
				}
			}},
		"a cut connection": {"cut", "patient", "patient", "while it was in use", "mitten im Betrieb",
			func(c *staged) {
				c.both()
				c.place(0, "udp")
				client, stream := apptest.TURNClient(c.T, c.servers[1], "tls")
				if _, err := client.Allocate(); err != nil {
					c.Fatal(err)
				}
				stream.Close()
			}},
		"it works": {"healthy", "nobody", "", "The call works", "Das Gespräch läuft", func(c *staged) {
			c.both()
			doctor, patient := c.permitted()
			c.says(doctor, patient, apptest.Voice)
			c.says(patient, doctor, apptest.Voice)
		}},
		"it is over": {"held", "nobody", "patient", "The call took place, and the patient hung up",
			"die Patientenseite hat um", func(c *staged) {
				c.both()
				doctor, patient := c.permitted()
				for _, way := range [][2]net.PacketConn{{doctor, patient}, {patient, doctor}} {
					if _, err := way[0].WriteTo(apptest.Voice, way[1].LocalAddr()); err != nil {
						c.Fatal(err)
					}
					if _, _, err := way[1].ReadFrom(make([]byte, 2000)); err != nil {
						c.Fatal(err)
					}
				}
				patient.Close()
				doctor.Close()
				c.sessions[1].Close()
			}},
	} {
		set(name, normal, folder, f)
	}
	set("another family", families, familiesFolder,
		failure{"other-family", "appliance", "patient", "an IPv4 and the other an IPv6",
			"eine IPv4- und die andere eine IPv6-Adresse", func(c *staged) {
				c.both()
				code, answer := c.ask(c.servers[0], "127.0.0.1:0", "127.0.0.1:0", stun.MethodAllocate,
					stun.RawAttribute{Type: stun.AttrRequestedAddressFamily, Value: []byte{2, 0, 0, 0}})
				c.refusedWith(0, code)
				var six stun.XORMappedAddress
				if err := six.GetFromAs(answer, stun.AttrXORRelayedAddress); err != nil {
					c.Fatal(err)
				}
				client, _ := c.place(1, "udp")
				if err := client.CreatePermission(&net.UDPAddr{IP: six.IP, Port: six.Port}); err == nil {
					c.Fatal("an IPv6 peer may be reached from IPv4")
				}
			}})
	set("a changed secret", forgets, forgetsFolder,
		failure{"wrong-password", "appliance", "patient", "its secret was changed",
			"Sein Geheimnis wurde geändert", func(c *staged) {
				c.both()
				c.place(0, "udp")
				apptest.WriteFile(c.T, filepath.Join(c.folder, "turn.secret"),
					strings.Repeat("another secret ", 3)+"\n", 0o600)
				before, err := c.Admin.Status(c.Context())
				if err == nil {
					err = c.Process.Signal(syscall.SIGHUP)
				}
				for after := before; err == nil && after.Reload == nil; {
					after, err = c.Admin.Status(c.Context())
				}
				if err != nil {
					c.Fatal(err)
				}
				client, _ := apptest.TURNClient(c.T, c.servers[1], "udp")
				if _, err := client.Allocate(); err == nil {
					c.Fatal("the old secret is taken")
				}
			}})
	set("maintenance", drains, drainsFolder, failure{"draining", "appliance", "patient",
		"The appliance is in maintenance", "Das Relay-System wird gewartet", func(c *staged) {
			c.both()
			if _, err := c.Admin.StartDrain(c.Context(), time.Time{}); err != nil {
				c.Fatal(err)
			}
		}})
	set("too many windows", small, smallFolder,
		failure{"quota", "patient", "patient", "in too many windows", "in zu vielen Fenstern",
			func(c *staged) {
				c.both()
				for range 4 {
					c.place(1, "udp")
				}
				client, _ := apptest.TURNClient(c.T, c.servers[1], "udp")
				if _, err := client.Allocate(); err == nil {
					c.Fatal("a fifth allocation of the seat is made")
				}
				c.place(0, "udp")
			}})
	// The previous failures' allocations have filled the appliance.
	set("a full appliance", small, smallFolder,
		failure{"full", "appliance", "patient", "The appliance is full (508)",
			"Das Relay-System ist voll", func(c *staged) {
				c.both()
				c.place(0, "udp")
				client, _ := apptest.TURNClient(c.T, c.servers[1], "udp")
				if _, err := client.Allocate(); err == nil {
					c.Fatal("a seventh allocation is made")
				}
			}})
	for name, c := range scenes {
		t.Run(name, func(t *testing.T) {
			c.T = t
			c.explained(c.want)
		})
	}
}
