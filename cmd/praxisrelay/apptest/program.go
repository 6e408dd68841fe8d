package apptest

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// Program returns a command that runs praxisrelay.
func Program(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), AsProgram+"=1")
	return c
}

// Run runs praxisrelay to its end and returns its output.
func Run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	c := Program(args...)
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}
