package page

import (
	"slices"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
)

// TestWhatIsWrongWithACodeIsSaid checks the reason in the protocol, and on the page in both
// languages.
func TestWhatIsWrongWithACodeIsSaid(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Now().Truncate(time.Second)
	var over adminclient.CreatedSeat
	s := apptest.StartServe(t, func(registry registry.Registry, pepper *appointment.Pepper) {
		over = apptest.AddPastAppointment(t, registry, pepper, now)
	})
	create := func(opens, closes time.Time) adminclient.Created {
		t.Helper()
		created, err := s.Admin.Create(ctx, opens, closes, "")
		if err != nil {
			t.Fatal(err)
		}
		return created
	}
	early := create(now.Add(48*time.Hour), now.Add(72*time.Hour))
	open := create(now, now.Add(time.Hour))
	revoked := create(now, now.Add(time.Hour))
	if _, stderr, err := apptest.Run(t, "code", "revoke", revoked.ID, "--socket", s.Socket); err != nil {
		t.Fatal(stderr)
	}
	unknown := code.New()
	mistyped := open.Seats[1].Code.Format()
	mistyped = mistyped[:13] + string(other(mistyped[13]))

	b := apptest.NewBrowser(t, "patient")
	requests := b.WatchRequests(t)
	tests := []struct {
		name   string
		typed  string
		keys   *code.Keys // nil if the page must not ask the server
		code   protocol.Code
		en, de string
	}{
		{"mistyped", mistyped, nil, "", "typing error", "Tippfehler"},
		{"too short", "KTRW-BZMF", nil, "", "12 letters", "12 Buchstaben"},
		{"vowel", "AAAA-BZMF-QHDF", nil, "", "character", "Zeichen"},
		{"unknown", unknown.Format(), nil, protocol.UnknownCode, "no such code", "gibt es nicht"},
		{"too early", early.Seats[1].Code.Format(), &early.Seats[1].Keys, protocol.TooEarly, "valid from", "gilt ab"},
		{"over", over.Code.Format(), &over.Keys, protocol.Over, "time is over", "abgelaufen"},
		{"revoked", revoked.Seats[1].Code.Format(), &revoked.Seats[1].Keys, protocol.UnknownCode,
			"no such code", "gibt es nicht"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.keys != nil {
				refused := s.Refusal(t, *test.keys)
				if refused.Code != test.code {
					t.Errorf("the protocol's error is %q, want %q", refused.Code, test.code)
				}
				if test.code == protocol.TooEarly &&
					(refused.Opens == nil || !refused.Opens.Equal(early.Opens)) {
					t.Errorf("opens is %v, want %v", refused.Opens, early.Opens)
				}
			}
			b.Open(t, s.URL+"#"+test.typed, "lang=en")
			before := len(requests())
			b.Join(t)
			b.Wait(t, `document.querySelector('#message').matches('.notice:not(.calm):not([hidden])')`)
			en := b.Text(t, "#message")
			b.Click(t, `[data-lang="de"]`)
			de := b.Text(t, "#message")
			if !strings.Contains(en, test.en) || !strings.Contains(de, test.de) {
				t.Errorf("the page says %q and %q, want something with %q and %q", en, de, test.en, test.de)
			}
			if asked := slices.ContainsFunc(requests()[before:], func(url string) bool {
				return strings.Contains(url, "/v1/")
			}); asked != (test.code != "") {
				t.Errorf("the server was asked: %v", asked)
			}
		})
	}
	if refused := s.Refusal(t, open.Seats[1].Keys); refused.Code != "" {
		t.Errorf("the right code is refused: %v", refused)
	}
}

// TestPageTellsWhatATestCodeIsFor checks that a test code opens no consultation, in which somebody
// might wait for a patient, and that the camera is released.
func TestPageTellsWhatATestCodeIsFor(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	made, err := s.Admin.CreateTest(t.Context(), time.Now(), time.Now().Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	b := apptest.NewBrowser(t, "patient")
	for _, query := range []string{"lang=en", "lang=en&signaling=poll"} {
		b.Open(t, made.Seats[0].Link, query)
		b.Join(t)
		b.Wait(t, `document.querySelector('#message').matches('.notice.calm') && document.querySelector('#message').textContent.includes('checking a network')`)
		var entrance, camera bool
		en := b.Text(t, "#message")
		b.Click(t, `[data-lang="de"]`)
		de := b.Text(t, "#message")
		b.Eval(t, `!document.querySelector('#entrance').hidden && document.querySelector('#consultation').hidden`, &entrance)
		b.Eval(t, `document.querySelector('#preview').srcObject !== null`, &camera)
		for _, text := range []string{en, de} {
			if !strings.Contains(text, "praxisrelay check "+s.URL) {
				t.Errorf("the page says %q", text)
			}
		}
		if !entrance || camera || !strings.Contains(de, "öffnet er nicht") {
			t.Errorf("the entrance is there: %v, the camera is on: %v, %q", entrance, camera, de)
		}
	}
}

// TestRevocationEndsWhatRuns checks that both pages are informed immediately.
func TestRevocationEndsWhatRuns(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	now := time.Now()
	created, err := s.Admin.Create(t.Context(), now, now.Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	var browsers []*apptest.Browser
	for _, seat := range created.Seats {
		b := apptest.NewBrowser(t, seat.Name)
		b.Open(t, seat.Link, "policy=relay")
		b.Join(t)
		browsers = append(browsers, b)
	}
	browsers[0].LetIn(t)
	for _, b := range browsers {
		b.Wait(t, apptest.IsConnected)
	}
	if err := s.Admin.Revoke(t.Context(), created.ID); err != nil {
		t.Fatal(err)
	}
	for _, b := range browsers {
		b.Wait(t, `document.querySelector('#message').textContent.includes('cancelled')`)
	}
}

// TestPageKeepsTheCodeToItself checks that the code leaves the address bar, and that no request
// contains it.
func TestPageKeepsTheCodeToItself(t *testing.T) {
	t.Parallel()
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "patient")
	requests := b.WatchRequests(t)
	b.Open(t, info.Patient.Link, "")
	b.Join(t)
	b.Wait(t, `document.querySelector('#status').textContent.includes('Waiting')`)
	var address string
	b.Eval(t, `location.href`, &address)
	urls := requests()
	letters := strings.ReplaceAll(info.Patient.Code, "-", "")
	for _, url := range append(urls, address) {
		if strings.Contains(url, info.Patient.Code) || strings.Contains(url, letters) {
			t.Errorf("the code is in %s", url)
		}
		if !strings.HasPrefix(url, info.URL) &&
			!strings.HasPrefix(url, "wss"+strings.TrimPrefix(info.URL, "https")) && url != "about:blank" {
			t.Errorf("the page requested %s", url)
		}
	}
	if len(urls) < 5 {
		t.Errorf("only %d requests were seen", len(urls))
	}
}

// other returns a different letter of the alphabet.
func other(letter byte) byte {
	if letter == 'B' {
		return 'C'
	}
	return 'B'
}
