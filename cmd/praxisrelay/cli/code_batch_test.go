package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/protocol"
)

// TestMakeAll checks that whatever fails, the results are passed on in order and the missing
// numbers are reported.
func TestMakeAll(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	const n = 9
	for _, workers := range []int{1, 2, 20} {
		for failing := -1; failing < n; failing++ {
			for refusing := -1; refusing < n; refusing++ {
				var lock sync.Mutex
				var begun, made, handed []int
				missing, err := makeAll(n, workers, func(i int) (int, error) {
					lock.Lock()
					defer lock.Unlock()
					begun = append(begun, i)
					if i == failing {
						return 0, broken
					}
					made = append(made, i)
					return i * i, nil
				}, func(i, square int) error {
					if square != i*i {
						t.Errorf("%d was passed on with %d", i, square)
					}
					handed = append(handed, i)
					if i == refusing {
						return broken
					}
					return nil
				})
				slices.Sort(made)
				all := slices.Sorted(slices.Values(append(slices.Clone(handed), missing...)))
				failed := failing >= 0 || refusing >= 0
				name := fmt.Sprintf("%d workers, %d fails, %d is refused", workers, failing, refusing)
				if !slices.Equal(made, handed) || len(all) != n || !slices.IsSorted(missing) ||
					failed != (err == broken) || !failed && err != nil {
					t.Errorf("%s: made %v, passed on %v, missing %v, %v", name, made, handed, missing, err)
				}
				if workers == 1 && failing >= 0 && refusing < 0 && len(begun) != failing+1 {
					t.Errorf("%s: began %v", name, begun)
				}
			}
		}
	}
}

func TestRanges(t *testing.T) {
	for want, numbers := range map[string][]int{"": nil, "3": {3}, "3-4": {3, 4},
		"3, 5-20, 22": append(append([]int{3}, upTo(5, 20)...), 22)} {
		if got := ranges(numbers); got != want {
			t.Errorf("%v are %q, want %q", numbers, got, want)
		}
	}
}

func upTo(first, last int) (numbers []int) {
	for i := first; i <= last; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

// TestLostAnswersAreTakenBack checks that an appointment is revoked if the answer to its creation
// was lost, and named in the error if revoking it gets no answer either.
func TestLostAnswersAreTakenBack(t *testing.T) {
	t.Parallel()
	for _, revokes := range []bool{true, false} {
		socket := filepath.Join(t.TempDir(), "admin.sock")
		listener, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		made, revoked := make(chan string, 1), make(chan string, 1)
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v1/info", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(protocol.Info{Version: 1, URL: "https://relay.example.org/",
				Salt: make([]byte, 16), Rounds: 1})
		})
		mux.HandleFunc("POST /v1/appointments", func(_ http.ResponseWriter, r *http.Request) {
			var n api.NewAppointment
			_ = json.NewDecoder(r.Body).Decode(&n)
			made <- n.ID
			panic(http.ErrAbortHandler)
		})
		mux.HandleFunc("DELETE /v1/appointments/{id}", func(w http.ResponseWriter, r *http.Request) {
			revoked <- r.PathValue("id")
			if !revokes {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write([]byte("{}"))
		})
		server := &http.Server{Handler: mux}
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
		stdout, stderr, err := apptest.Run(t, "code", "create", "--socket", socket,
			"--start", apptest.NextYear("YEAR-07-01 10:00"))
		if err == nil || stdout != "" {
			t.Errorf("%v, printed %q", err, stdout)
		}
		id := <-made
		if got := <-revoked; got != id {
			t.Errorf("%s was revoked, want %s", got, id)
		}
		if named := strings.HasSuffix(stderr,
			"; "+id+" may have been made, and nobody has its codes: revoke it\n"); named == revokes {
			t.Errorf("said %q", stderr)
		}
	}
}

// TestCodeListsWhenTheDaemonFails checks that acknowledged appointments are printed, and that the
// error says how to make the rest.
func TestCodeListsWhenTheDaemonFails(t *testing.T) {
	t.Parallel()
	socket, acknowledged := apptest.StartAdmin(t, 5)
	list := "start,ref\n" + strings.Repeat(apptest.NextYear("YEAR-07-01 10:00,a\n"), 20)
	stdout, stderr, err := createFrom(t, socket, list)
	if err == nil {
		t.Fatal("it did not fail")
	}
	ids := acknowledged()
	if len(ids) != 5 {
		t.Fatalf("%d were acknowledged", len(ids))
	}
	for _, id := range ids {
		if !strings.Contains(stdout, "\n"+id+",a,") {
			t.Errorf("%s is lost:\n%s", id, stdout)
		}
	}
	if !regexp.MustCompile(`^praxisrelay: the registry cannot be written: see the server's log; 5 of 20 are made and printed: to make the rest, use a list of the column names and the lines [0-9, ]*\d+-21\n$`).MatchString(stderr) {
		t.Errorf("said %q", stderr)
	}

	socket, _ = apptest.StartAdmin(t, 1)
	stdout, stderr, err = apptest.Run(t, "code", "create", "--socket", socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"), "--count", "4")
	if err == nil || strings.Count(stdout, "\n") != 2 ||
		!strings.HasSuffix(stderr, "1 of 4 are made and printed: make the rest with --count 3\n") {
		t.Errorf("%q %q", stdout, stderr)
	}
	socket, _ = apptest.StartAdmin(t, 0)
	stdout, stderr, err = apptest.Run(t, "code", "create", "--socket", socket,
		"--start", apptest.NextYear("YEAR-07-01 10:00"))
	if err == nil || stdout != "" ||
		stderr != "praxisrelay: the registry cannot be written: see the server's log\n" {
		t.Errorf("%q %q", stdout, stderr)
	}
}
