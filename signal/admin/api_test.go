package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/admin/admintest"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/code"
	"praxisrelay/signal/limit"
	"praxisrelay/signal/token"
)

// TestTokensOpenWhatTheirScopeSays, request by request.
func TestTokensOpenWhatTheirScopeSays(t *testing.T) {
	l := newLab(t)
	anybody := l.api()
	callers := []struct {
		name string
		*admintest.API
		allows func(token.Scope) bool
	}{
		{"no token", anybody, nil},
		{"a reader", anybody.With(token.ReadAppointments), func(s token.Scope) bool { return s == token.ReadAppointments }},
		{"a writer", anybody.With(token.Appointments), func(s token.Scope) bool { return s != "" }},
	}
	for _, route := range routes {
		method, path, _ := strings.Cut(route.pattern, " ")
		id, _, _ := l.seats(day)
		path = strings.NewReplacer("{id}", id, "{seat}", "patient").Replace(path)
		for _, caller := range callers {
			w := caller.Ask(method, path, "{}")
			switch {
			case caller.allows == nil:
				if w.Code != http.StatusUnauthorized || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer ") {
					t.Errorf("%s with %s: %d", route.pattern, caller.name, w.Code)
				}
				l.at(l.clock().Add(limit.GuessInterval)) // else it is limited
			case caller.allows(route.scope):
				if w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden {
					t.Errorf("%s with %s: %d %s", route.pattern, caller.name, w.Code, w.Body)
				}
			case w.Code != http.StatusForbidden:
				t.Errorf("%s with %s: %d %s", route.pattern, caller.name, w.Code, w.Body)
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: may be cached", route.pattern)
			}
		}
	}
	reader, writer := callers[1].API, callers[2].API
	if got := admintest.ProblemOf(t, writer.Ask("GET", "/v1/tokens", "")); got != "socket-only" {
		t.Errorf("a list of tokens: %s", got)
	}
	if got := admintest.ProblemOf(t, reader.Ask("POST", "/v1/appointments", "")); got != "missing-scope" {
		t.Errorf("a reader's appointment: %s", got)
	}
	for _, row := range []struct{ method, path, problem, allow string }{
		{"PATCH", "/v1/appointments", "unknown-method", "GET, HEAD, POST"},
		{"POST", "/v1/appointments/x/seats/doctor", "unknown-method", "GET, HEAD, PUT"},
		{"PUT", "/v1/tokens/x", "unknown-method", "DELETE"},
		{"PATCH", "/v1/appointment", "unknown-resource", ""},
		{"GET", "/", "unknown-resource", ""},
	} {
		w := writer.Ask(row.method, row.path, "")
		if got, allow := admintest.ProblemOf(t, w), w.Header().Get("Allow"); got != row.problem || allow != row.allow {
			t.Errorf("%s %s: %s, Allow: %q, want %s, %q", row.method, row.path, got, allow, row.problem, row.allow)
		}
	}
}

// TestWrongTokensAreAllTheSame, whether never made, revoked, expired or altered.
func TestWrongTokensAreAllTheSame(t *testing.T) {
	l := newLab(t)
	a := l.api()
	made := func(expires *time.Time) api.CreatedToken {
		status, body := l.admin("POST", "/v1/tokens", api.NewToken{Scopes: []token.Scope{token.ReadAppointments}, Expires: expires})
		var made api.CreatedToken
		if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
		return made
	}
	good, brief, gone := made(nil), made(new(day.Add(time.Hour))), made(nil)
	if status, body := l.admin("DELETE", "/v1/tokens/"+gone.ID, ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	if status, _ := l.admin("DELETE", "/v1/tokens/"+gone.ID, ""); status != http.StatusNotFound {
		t.Errorf("revoked twice: %d", status)
	}
	ask := func(authorization string) (int, string) {
		a.Bearer = authorization
		w := a.Ask("GET", "/v1/appointments", "")
		return w.Code, w.Body.String()
	}
	if code, body := ask("Bearer " + brief.Token); code != http.StatusOK {
		t.Errorf("before it expires: %d %s", code, body)
	}
	l.at(day.Add(time.Hour))
	if code, body := ask("bearer " + good.Token); code != http.StatusOK {
		t.Errorf("a right one: %d %s", code, body)
	}
	_, want := ask("")
	for name, authorization := range map[string]string{
		"never made": "Bearer prx_aaaaaaaaaaaaa_" + strings.Repeat("a", 52),
		"revoked":    "Bearer " + gone.Token,
		"expired":    "Bearer " + brief.Token,
		"altered":    "Bearer " + good.Token[:20] + strings.Repeat("a", 50),
		"cut":        "Bearer " + good.Token[:40],
		"basic":      "Basic " + good.Token,
		"bare":       good.Token,
	} {
		if code, body := ask(authorization); code != http.StatusUnauthorized || body != want {
			t.Errorf("%s: %d %s, want 401 %s", name, code, body, want)
		}
	}
}

func TestWrongTokensAreLimitedPerNetwork(t *testing.T) {
	l := newLab(t)
	a := l.api()
	right := a.With(token.Appointments)
	for range limit.GuessBurst {
		if w := a.Ask("GET", "/v1/info", ""); w.Code != http.StatusUnauthorized {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := a.Ask("GET", "/v1/info", "")
	if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); admintest.ProblemOf(t, w) != "limited" || err != nil || seconds < 1 || seconds > 31 {
		t.Errorf("after %d wrong tokens: %d, Retry-After %v", limit.GuessBurst, w.Code, w.Header()["Retry-After"])
	}
	if w := right.Ask("GET", "/v1/info", ""); w.Code != http.StatusOK {
		t.Errorf("a right token from the same network: %d", w.Code)
	}
	a.From = "[2001:db8::1]:1000"
	if w := a.Ask("GET", "/v1/info", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("from another network: %d", w.Code)
	}
	l.at(day.Add(limit.GuessInterval))
	a.From = "192.0.2.1:1000"
	if w := a.Ask("GET", "/v1/info", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("after the pause: %d", w.Code)
	}
}

func TestListIsFiltered(t *testing.T) {
	l := newLab(t)
	ids := map[string]string{} // id -> name
	for i, name := range []string{"first", "second", "third"} {
		id, _, _ := l.seats(day.Add(time.Duration(i) * time.Hour))
		ids[id] = name
	}
	n := api.NewAppointment{ID: appointment.NewID(), Ref: "2026-0815", Opens: new(day.Add(5 * time.Hour))}
	for i, name := range appointment.SeatNames {
		n.Seats = append(n.Seats, api.NewSeat{Name: name, Verifier: append(make([]byte, 31), byte(i)), RoomKey: make([]byte, 60)})
	}
	if status, body := l.admin("POST", "/v1/appointments", n); status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	ids[n.ID] = "with ref"
	for query, want := range map[string]string{
		"":                            "first second third with ref",
		"?from=2026-12-01T10:00:00Z":  "second third with ref",
		"?until=2026-12-01T11:00:00Z": "first second",
		"?from=2026-12-01T11:00:00%2B01:00&until=2026-12-01T11:00:00Z":    "second",
		"?from=2026-12-01T11:00:00+01:00&until=2026-12-01T12:00:00+01:00": "second", // in a query a plus is a space
		"?ref=2026-0815":              "with ref",
		"?ref=another":                "",
		"?ref=":                       "first second third",
		"?until=0001-01-01T00:00:00Z": "",
	} {
		status, body := l.admin("GET", "/v1/appointments"+query, "")
		var list []api.ListedAppointment
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %s", query, status, body)
		}
		var got []string
		for _, a := range list {
			got = append(got, ids[a.ID])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{
		"?from=yesterday", "?until=2026-12-01", "?patient=x", "?from=", "?from=2026-12-01T10:00:00%2002", "?ref=a%20b", "?ref=%zz",
		"?from=2026-12-01T10:00:00Z;until=2026-12-02T10:00:00Z", "?from=2026-12-01T10:00:00Z&from=2026-12-02T10:00:00Z",
	} {
		if status, _ := l.admin("GET", "/v1/appointments"+query, ""); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", query, status)
		}
	}
	if status, body := l.admin("GET", "/v1/appointments/"+n.ID, ""); status != http.StatusOK || !strings.Contains(body, "2026-0815") {
		t.Errorf("one of them: %d %s", status, body)
	}
}

// TestListShowsWhoWasThere and who is.
func TestListShowsWhoWasThere(t *testing.T) {
	l := newLab(t)
	id, doctorKeys, _ := l.seats(day)
	doctor := l.join(doctorKeys)
	seat := func() api.ListedSeat {
		status, body := l.admin("GET", "/v1/appointments/"+id, "")
		var a api.ListedAppointment
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK || a.Seats[1].Used || a.Seats[1].Present {
			t.Fatalf("%d %s", status, body)
		}
		return a.Seats[0]
	}
	for !seat().Used { // written after the join has returned
	}
	if !seat().Present {
		t.Error("the doctor is not there")
	}
	doctor.Close()
	for seat().Present { // the server notices that the socket is closed
	}
	if !seat().Used {
		t.Error("the seat counts as not used any more")
	}
}

// FuzzDecodeBody: errors quote nothing from a body but a field's name.
func FuzzDecodeBody(f *testing.F) {
	f.Add([]byte(`{"opens":"2026-12-01T09:00:00Z","closes":"2026-12-01T10:00:00Z"}`))
	f.Add([]byte(`{"opens":"KTRW-BZMF-QHDF"}`))
	f.Add([]byte(`{"KTRW-BZMF-QHDF":1}`))
	f.Add([]byte(`{"ktrwbzmfqhdf":1}`))
	f.Add([]byte(`{"seats":[{"verifier":"!!!!"}]}`))
	f.Add([]byte(`{"seats":{"name":1}}`))
	f.Add([]byte(`{} {}`))
	f.Add([]byte(`nul`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var n api.NewAppointment
		refused := decodeBody(body, &n)
		if refused == nil {
			return
		}
		if refused.Status < 400 || refused.Status > 499 || refused.Detail == "" || refused.Remedy == "" {
			t.Errorf("%q: %+v", body, refused)
		}
		for word := range strings.FieldsFuncSeq(string(body), func(r rune) bool { return r < '-' || r > 'z' }) {
			_, err := code.Parse(word)
			secret := err == nil || strings.ToLower(word) != word && len(word) > 12
			if secret && strings.Contains(refused.Detail+refused.Remedy, word) &&
				!strings.Contains("2026-12-01T10:00:00+01:00 docs/openapi.yaml", word) {
				t.Errorf("%q comes back in %+v", word, refused)
			}
		}
	})
}

func TestAdminRefusesWhatItCannotMean(t *testing.T) {
	l := newLab(t)
	id, _, _ := l.seats(day)
	good := api.NewAppointment{ID: appointment.NewID(), Opens: &day, Closes: new(day.Add(time.Hour))}
	for i, name := range appointment.SeatNames {
		good.Seats = append(good.Seats, api.NewSeat{Name: name, Verifier: append(make([]byte, 31), byte(i)), RoomKey: make([]byte, 60)})
	}
	past, existing, short := good, good, good
	past.Opens, past.Closes = new(day.Add(-2*time.Hour)), new(day.Add(-time.Hour))
	existing.ID = id
	short.Seats = []api.NewSeat{{Name: "doctor", Verifier: []byte{1}}, good.Seats[1]}
	for name, test := range map[string]struct {
		body any
		want int
	}{
		"no JSON":        {"hello", 400},
		"unknown field":  {`{"patient_name":"x"}`, 422},
		"over already":   {past, 422},
		"short verifier": {short, 422},
		"the same id":    {existing, 409},
		"huge":           {strings.Repeat(" ", 1<<20), 413},
		"good":           {good, 201},
		"good again":     {good, 409},
	} {
		if name == "good again" {
			continue // follows "good", below
		}
		status, body := l.admin("POST", "/v1/appointments", test.body)
		if status != test.want {
			t.Errorf("%s: %d %s, want %d", name, status, body, test.want)
		}
		if status >= 400 {
			var p api.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Status != status || p.Detail == "" {
				t.Errorf("%s: %s is no problem", name, body)
			}
		}
	}
	if status, _ := l.admin("POST", "/v1/appointments", good); status != 409 {
		t.Errorf("the same again: %d", status)
	}
	if status, _ := l.admin("DELETE", "/v1/appointments/nobody", ""); status != 404 {
		t.Errorf("revoking what is not there: %d", status)
	}
	status, body := l.admin("GET", "/v1/appointments", "")
	var list []api.ListedAppointment
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 || len(list) != 2 {
		t.Errorf("list: %d %s", status, body)
	}
}
