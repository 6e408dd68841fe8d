package cli_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestCredentialsThatCannotBePrinted checks that failing to print credentials is an error.
func TestCredentialsThatCannotBePrinted(t *testing.T) {
	t.Parallel()
	s := apptest.StartServe(t, nil)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, flags := range [][]string{nil, {"--json"}, {"--count", "1000"}} {
		var said bytes.Buffer
		command := apptest.Program(append([]string{"credential", "--socket", s.Socket}, flags...)...)
		command.Stdout, command.Stderr = full, &said
		err := command.Run()
		if _, ok := errors.AsType[*exec.ExitError](err); !ok ||
			!strings.Contains(said.String(), "not all credentials are printed") {
			t.Errorf("%q on a full disk: %v, %s", flags, err, &said)
		}
	}
}
