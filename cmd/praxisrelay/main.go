// Command praxisrelay lets video consultations work through restrictive firewalls:
// a STUN/TURN relay, the appointment codes that open it, and a minimal signaling
// endpoint, in one program.
package main

import (
	"os"
	"time"
	_ "time/tzdata" // a server without zone files must still know when an appointment opens

	"praxisrelay/cmd/praxisrelay/cli"
	"praxisrelay/relay/certificate"
)

// version is set by builds outside of git: -ldflags "-X main.version=1.2.3".
var version string

func main() { os.Exit(cli.Main(version, time.Now, certificate.PollInterval)) }
