package ops

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/adminclient"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/protocol"
	"praxisrelay/signal/registry"
)

// TestCanaries sends secrets that open an appointment or the admin API, and clients' identities,
// through good and bad requests, and checks that none is in the daemon's logs, metrics, files or
// errors.
func TestCanaries(t *testing.T) {
	t.Parallel()
	var over adminclient.CreatedSeat
	s := apptest.StartServe(t, func(registry registry.Registry, pepper *appointment.Pepper) {
		over = apptest.AddPastAppointment(t, registry, pepper, time.Now())
	})
	created, err := s.Admin.Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	canaries := map[string][]byte{"the client's address": []byte("127.0.0.1")}
	sessions, servers := s.Join(t, created.Seats)
	const name = "a name that only the doctor may read"
	canaries["the patient's name"] = []byte(name)
	if err := sessions[1].Send(protocol.Present{Seat: "doctor", Epoch: sessions[0].Epoch()},
		[]byte(name)); err != nil {
		t.Fatal(err)
	}
	for i, seat := range created.Seats {
		ice := servers[i]
		sessions[i].Close()
		letters := strings.ReplaceAll(seat.Code.Format(), "-", "")
		canaries[seat.Name+"'s code"] = []byte(seat.Code.Format())
		canaries[seat.Name+"'s letters"] = []byte(letters)
		canaries[seat.Name+"'s join token"] = seat.Keys.JoinToken[:]
		canaries[seat.Name+"'s join token in hex"] = []byte(hex.EncodeToString(seat.Keys.JoinToken[:]))
		canaries[seat.Name+"'s join token in base64"] = []byte(base64.StdEncoding.EncodeToString(seat.Keys.JoinToken[:]))
		canaries[seat.Name+"'s seal key"] = seat.Keys.SealKey[:]
		canaries[seat.Name+"'s user name"] = []byte(ice.Username)
		canaries[seat.Name+"'s TURN password"] = []byte(ice.Credential)
	}
	refusals := callAPI(t, s, canaries)
	early, err := s.Admin.Create(t.Context(), time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	for want, seat := range map[protocol.Code]adminclient.CreatedSeat{protocol.Over: over,
		protocol.TooEarly: early.Seats[1]} {
		canaries["the code that is "+string(want)] = []byte(seat.Code.Format())
		canaries["the token that is "+
			string(want)] = []byte(base64.StdEncoding.EncodeToString(seat.Keys.JoinToken[:]))
		if got := s.Refusal(t, seat.Keys); got.Code != want {
			t.Errorf("refused with %s, want %s", got.Code, want)
		}
	}
	refusals += badPolls(t, s, created.Seats[0])
	for i := range 12 {
		s.Refusal(t, code.Keys{JoinToken: [32]byte{1, byte(i)}})
	}
	if err := s.Admin.Revoke(t.Context(), created.ID); err != nil {
		t.Fatal(err)
	}
	s.Refusal(t, created.Seats[0].Keys)
	metrics := s.Scrape(t)
	if strings.Contains(metrics, created.ID) || strings.Contains(metrics, "127.0.0.1") {
		t.Error("the appointment or an address is in the metrics")
	}
	s.Stop(t)

	// The line with the listeners' addresses contains the appliance's own.
	_, log, _ := strings.Cut(s.Stderr.String(), "msg=serving")
	_, log, _ = strings.Cut(log, "\n")
	texts := map[string][]byte{"the log": []byte(log), "an error": []byte(refusals),
		"the metrics": []byte(metrics)}
	folder := filepath.Dir(s.CA)
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if ext := filepath.Ext(file.Name()); ext == ".pem" || ext == ".yaml" ||
			!file.Type().IsRegular() { // written by the operator
			continue
		}
		if texts[file.Name()], err = os.ReadFile(filepath.Join(folder, file.Name())); err != nil {
			t.Fatal(err)
		}
	}
	registry := texts["registry.db"]
	if !bytes.Contains(registry, []byte(created.ID)) || !strings.Contains(log, "stopped") {
		t.Fatal("the search misses the registry or the log")
	}
	for _, line := range []string{ // proof that the canaries were processed
		`msg="an appointment was made" by=socket sealed_by=caller`, `msg="a token was made" by=socket token=`,
		`sealed_by=server`, `msg="a seat was given another code" by=`,
		`msg="an appointment was revoked" by=socket`,
		`guessed=codes network=net-`, `guessed=tokens network=net-`,
		`msg="a token was revoked" by=socket token=`,
	} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %s:\n%s", line, log)
		}
	}
	for where, text := range texts {
		for what, canary := range canaries {
			if bytes.Contains(text, canary) {
				t.Errorf("%s is in %s", what, where)
			}
		}
	}
}

// badPolls puts a code and its token where they do not belong, in polls and in the addresses of
// mangled links, and returns the responses.
func badPolls(t *testing.T, s *apptest.Served, seat adminclient.CreatedSeat) (answers string) {
	t.Helper()
	typed, token := seat.Code.Format(), base64.StdEncoding.EncodeToString(seat.Keys.JoinToken[:])
	for _, body := range []string{
		typed, `{"frames":["` + typed + `"]}`, `{"frames":[{"` + typed + `":{}}]}`, `{"` + token + `":[]}`,
		`{"frames":[{"join":{"token":"` + typed + `","epoch":"` + token + `"}}]}`,
		`{"frames":[{"join":{"token":"` + token + `","epoch":"` + typed + `"}}]}`,
		`{"frames":[{"join":{"token":"` + token + `=","epoch":""}}]}`,
		`{"frames":[{"resume":{"session":"` + token + `","received":0}}]}`,
	} {
		response, err := s.HTTPS(t).Post(s.URL+"v1/signal", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || !strings.Contains(string(text), `"error"`) {
			t.Errorf("%.20s: %s, %v", body, text, err)
		}
		answers += string(text)
	}
	for _, path := range []string{"%23" + typed, "%2523" + typed, typed, "a/%23" + typed,
		"?%23" + typed, "v1/" + typed} {
		response, err := s.HTTPS(t).Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		answers += string(text)
	}
	return answers
}

// callAPI sends good and bad requests to the admin API, with secrets in them and in their
// responses. It records the secrets, and returns the responses to the bad requests.
func callAPI(t *testing.T, s *apptest.Served, canaries map[string][]byte) (refusals string) {
	t.Helper()
	made, stderr, err := apptest.Run(t, "token", "create", "--socket", s.Socket,
		"--scope", "appointments", "--json")
	if err != nil {
		t.Fatal(stderr)
	}
	var token api.CreatedToken
	if err := json.Unmarshal([]byte(made), &token); err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(token.Token, "_")[2]
	const key = "b3f6f6b2-5d0f-4e0c-9d5c-6f1f0c1c7a42"
	https := s.HTTPS(t)
	ask := func(bearer, method, path, body string) (int, []byte) {
		request, err := http.NewRequestWithContext(t.Context(), method, s.API+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+bearer)
		request.Header.Set("Idempotency-Key", key)
		response, err := https.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode >= 400 {
			refusals += string(text)
		}
		return response.StatusCode, text
	}
	body := apptest.NextYear(`{"opens":"YEAR-12-01T09:00:00Z"}`)
	status, text := ask(token.Token, "POST", "/v1/appointments", body)
	var created api.CreatedAppointment
	if err := json.Unmarshal(text, &created); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	codes := []string{created.Seats[0].Code, created.Seats[1].Code}
	seat := "/v1/appointments/" + created.ID + "/seats/patient"
	with := `{"with":{"seat":"doctor","code":"` + codes[0] + `"}}`
	status, text = ask(token.Token, "PUT", seat, with)
	var reissued api.ReissuedSeat
	if err := json.Unmarshal(text, &reissued); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	for i, c := range append(codes, reissued.Code) {
		name := fmt.Sprintf("code %d that the server made", i)
		canaries[name] = []byte(c)
		canaries[name+", its letters"] = []byte(strings.ReplaceAll(c, "-", ""))
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(secret))
	if err != nil {
		t.Fatal(err)
	}
	canaries["the token's secret"], canaries["the token's secret, decoded"] = []byte(secret), raw
	canaries["the token's secret in base64"] = []byte(base64.StdEncoding.EncodeToString(raw))
	canaries["the Idempotency-Key"] = []byte(key)
	for _, bad := range []struct{ bearer, method, path, body string }{
		// the key was used with another body
		{token.Token, "POST", "/v1/appointments", body + " "},
		{token.Token, "POST", "/v1/appointments/" + codes[0], body},                   // no such resource
		{token.Token, "GET", "/v1/appointments/" + codes[0], ""},                      // no such appointment
		{token.Token, "GET", "/v1/appointments?from=" + codes[0], ""},                 // not a time
		{token.Token, "POST", "/v1/appointments", `{"` + secret + `":1}`},             // an unknown field
		{token.Token, "POST", "/v1/appointments", `{"opens":"` + codes[0] + `"}`},     // not a time
		{token.Token, "PUT", seat, strings.Replace(with, codes[0], codes[1], 1)},      // another seat's code
		{token.Token, "PUT", seat, `{"with":{"seat":"` + codes[0] + `","code":"x"}}`}, // the fields mixed up
		{token.Token, "POST", "/v1/tokens", "{}"},                                     // on the socket only
		{token.Token + "a", "GET", "/v1/appointments", ""},                            // not a token
		{secret, "GET", "/v1/appointments", ""},                                       // half a token
		{key, "GET", "/v1/appointments", ""},                                          // something else
	} {
		if status, text := ask(bad.bearer, bad.method, bad.path, bad.body); status < 400 {
			t.Errorf("%s %s: %d %s", bad.method, bad.path, status, text)
		}
	}
	for range 10 { // until it counts as guessing
		ask(secret, "GET", "/v1/appointments", "")
	}
	if _, stderr, err := apptest.Run(t, "token", "revoke", token.ID, "--socket", s.Socket); err != nil {
		t.Error(stderr)
	}
	return refusals
}
