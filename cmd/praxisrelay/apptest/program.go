package apptest

import (
	"bytes"
	"encoding/json"
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

// Demo is the output of praxisrelay demo --json.
type Demo struct {
	URL, HTTPS      string
	TURNUDP         string `json:"turn_udp"`
	TURNTCP         string `json:"turn_tcp"`
	TURNTLS         string `json:"turn_tls"`
	Doctor, Patient struct{ Code, Link, Username, Credential string }
}

// StartDemo runs a demo on free ports.
func StartDemo(t *testing.T) (info Demo, d *Daemon) {
	t.Helper()
	c := Program("demo", "--json", "--https-port", "0", "--turn-udp-port", "0", "--turn-tcp-port", "0",
		"--turn-tls-port", "0")
	d = Start(t, c, false, func(line string) bool { return json.Unmarshal([]byte(line), &info) == nil })
	return info, d
}
