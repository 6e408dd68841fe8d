package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/client"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/seal"
)

// https trusts the served appliance's certificate.
func (s *served) https(t testing.TB) *http.Client {
	t.Helper()
	c, err := secrets.Trusting(s.ca, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// dialer reaches the appliance.
func (s *served) dialer(t testing.TB) client.Dialer {
	t.Helper()
	return client.Dialer{HTTP: s.https(t), Server: s.url}
}

// join takes the seats of an appointment, lets the patient in, and returns their
// sessions with their ICE servers.
func (s *served) join(t *testing.T, seats []client.CreatedSeat) (sessions []*client.Session, servers []protocol.ICEServer) {
	t.Helper()
	return join(t, s.dialer(t), seats)
}

func join(t *testing.T, dialer client.Dialer, seats []client.CreatedSeat) (sessions []*client.Session, servers []protocol.ICEServer) {
	t.Helper()
	for _, seat := range seats {
		session, err := dialer.JoinWithKeys(t.Context(), seat.Keys)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { session.Close() })
		if len(sessions) > 0 {
			sessions[0].Admit(protocol.Present{Seat: seat.Name, Epoch: session.Epoch()})
		}
		ice, err := session.WaitICE(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sessions, servers = append(sessions, session), append(servers, ice.Servers[0])
	}
	return sessions, servers
}

// refusal joins and returns the protocol's error, or "" when the join succeeds.
func (s *served) refusal(t *testing.T, keys code.Keys) (refused protocol.Error) {
	t.Helper()
	session, err := s.dialer(t).JoinWithKeys(t.Context(), keys)
	if err == nil {
		session.Close()
		return refused
	}
	p := new(protocol.Error)
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	return *p
}

// TestWhatIsWrongWithACodeIsSaid: in the protocol, and on the page in both languages.
func TestWhatIsWrongWithACodeIsSaid(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Now().Truncate(time.Second)
	var over client.CreatedSeat
	s := startServe(t, func(registry appointment.Registry, pepper *appointment.Pepper) {
		over = pastAppointment(t, registry, pepper, now)
	})
	create := func(opens, closes time.Time) client.Created {
		t.Helper()
		created, err := s.admin.Create(ctx, opens, closes, "")
		if err != nil {
			t.Fatal(err)
		}
		return created
	}
	early := create(now.Add(48*time.Hour), now.Add(72*time.Hour))
	open := create(now, now.Add(time.Hour))
	revoked := create(now, now.Add(time.Hour))
	if _, stderr, err := run(t, "code", "revoke", revoked.ID, "--socket", s.socket); err != nil {
		t.Fatal(stderr)
	}
	unknown := code.New()
	mistyped := open.Seats[1].Code.Format()
	mistyped = mistyped[:13] + string(other(mistyped[13]))

	b := newBrowser(t, "patient")
	requests := b.watchRequests(t)
	tests := []struct {
		name   string
		typed  string
		keys   *code.Keys // nil: the server is not to be asked
		code   protocol.Code
		en, de string
	}{
		{"mistyped", mistyped, nil, "", "typing error", "Tippfehler"},
		{"too short", "KTRW-BZMF", nil, "", "12 letters", "12 Buchstaben"},
		{"vowel", "AAAA-BZMF-QHDF", nil, "", "character", "Zeichen"},
		{"unknown", unknown.Format(), nil, protocol.UnknownCode, "no such code", "gibt es nicht"},
		{"too early", early.Seats[1].Code.Format(), &early.Seats[1].Keys, protocol.TooEarly, "valid from", "gilt ab"},
		{"over", over.Code.Format(), &over.Keys, protocol.Over, "time is over", "abgelaufen"},
		{"revoked", revoked.Seats[1].Code.Format(), &revoked.Seats[1].Keys, protocol.UnknownCode, "no such code", "gibt es nicht"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.keys != nil {
				refused := s.refusal(t, *test.keys)
				if refused.Code != test.code {
					t.Errorf("the protocol says %q, want %q", refused.Code, test.code)
				}
				if test.code == protocol.TooEarly && (refused.Opens == nil || !refused.Opens.Equal(early.Opens)) {
					t.Errorf("opens is %v, want %v", refused.Opens, early.Opens)
				}
			}
			b.open(t, s.url+"#"+test.typed, "lang=en")
			before := len(requests())
			b.join(t)
			b.wait(t, `document.querySelector('#message').matches('.notice:not(.calm):not([hidden])')`)
			en := b.text(t, "#message")
			b.click(t, `[data-lang="de"]`)
			de := b.text(t, "#message")
			if !strings.Contains(en, test.en) || !strings.Contains(de, test.de) {
				t.Errorf("the page says %q and %q, want something with %q and %q", en, de, test.en, test.de)
			}
			if asked := slices.ContainsFunc(requests()[before:], func(url string) bool { return strings.Contains(url, "/v1/") }); asked != (test.code != "") {
				t.Errorf("the server was asked: %v", asked)
			}
		})
	}
	if refused := s.refusal(t, open.Seats[1].Keys); refused.Code != "" {
		t.Errorf("the right code is refused: %v", refused)
	}
}

// TestPageTellsWhatATestCodeIsFor: it opens no consultation, with which somebody might
// wait for a patient, and lets the camera go.
func TestPageTellsWhatATestCodeIsFor(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil)
	made, err := s.admin.CreateTest(t.Context(), time.Now(), time.Now().Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, "patient")
	for _, query := range []string{"lang=en", "lang=en&signaling=poll"} {
		b.open(t, made.Seats[0].Link, query)
		b.join(t)
		b.wait(t, `document.querySelector('#message').matches('.notice.calm') && document.querySelector('#message').textContent.includes('checking a network')`)
		var entrance, camera bool
		en := b.text(t, "#message")
		b.click(t, `[data-lang="de"]`)
		de := b.text(t, "#message")
		b.eval(t, `!document.querySelector('#entrance').hidden && document.querySelector('#consultation').hidden`, &entrance)
		b.eval(t, `document.querySelector('#preview').srcObject !== null`, &camera)
		for _, text := range []string{en, de} {
			if !strings.Contains(text, "praxisrelay check "+s.url) {
				t.Errorf("the page says %q", text)
			}
		}
		if !entrance || camera || !strings.Contains(de, "öffnet er nicht") {
			t.Errorf("the entrance is there: %v, the camera is on: %v, %q", entrance, camera, de)
		}
	}
}

// TestRevocationEndsWhatRuns: both pages are told, at once.
func TestRevocationEndsWhatRuns(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil)
	now := time.Now()
	created, err := s.admin.Create(t.Context(), now, now.Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	var browsers []*browser
	for _, seat := range created.Seats {
		b := newBrowser(t, seat.Name)
		b.open(t, seat.Link, "policy=relay")
		b.join(t)
		browsers = append(browsers, b)
	}
	browsers[0].letIn(t)
	for _, b := range browsers {
		b.wait(t, isConnected)
	}
	if err := s.admin.Revoke(t.Context(), created.ID); err != nil {
		t.Fatal(err)
	}
	for _, b := range browsers {
		b.wait(t, `document.querySelector('#message').textContent.includes('cancelled')`)
	}
}

// TestPageKeepsTheCodeToItself: it leaves the address bar, and no request carries it.
func TestPageKeepsTheCodeToItself(t *testing.T) {
	t.Parallel()
	info, _ := startDemo(t)
	b := newBrowser(t, "patient")
	requests := b.watchRequests(t)
	b.open(t, info.Patient.Link, "")
	b.join(t)
	b.wait(t, `document.querySelector('#status').textContent.includes('Waiting')`)
	var address string
	b.eval(t, `location.href`, &address)
	urls := requests()
	letters := strings.ReplaceAll(info.Patient.Code, "-", "")
	for _, url := range append(urls, address) {
		if strings.Contains(url, info.Patient.Code) || strings.Contains(url, letters) {
			t.Errorf("the code is in %s", url)
		}
		if !strings.HasPrefix(url, info.URL) && !strings.HasPrefix(url, "wss"+strings.TrimPrefix(info.URL, "https")) && url != "about:blank" {
			t.Errorf("the page asked %s", url)
		}
	}
	if len(urls) < 5 {
		t.Errorf("only %d requests were seen", len(urls))
	}
}

// pastAppointment keeps an appointment that is over, which the daemon would not
// make, and returns the patient's seat.
func pastAppointment(t *testing.T, registry appointment.Registry, pepper *appointment.Pepper, now time.Time) (patient client.CreatedSeat) {
	t.Helper()
	a := appointment.Appointment{ID: appointment.NewID(), Opens: now.Add(-25 * time.Hour), Closes: now.Add(-time.Hour)}
	for _, name := range appointment.SeatNames {
		c := code.New()
		keys, err := c.Derive(registry.Salt(), code.Rounds)
		if err != nil {
			t.Fatal(err)
		}
		patient = client.CreatedSeat{Name: name, Code: c, Keys: keys}
		a.Seats = append(a.Seats, appointment.Seat{
			Name: name, Lookup: pepper.Lookup(keys.Verifier()), RoomKey: pepper.Hide(a.ID, name, seal.NewRoomKey().Wrap(keys.SealKey, a.ID, name)),
		})
	}
	if err := registry.Create(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return patient
}

// other returns another letter of the alphabet.
func other(letter byte) byte {
	if letter == 'B' {
		return 'C'
	}
	return 'B'
}
