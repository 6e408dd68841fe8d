package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A browser can be driven only from its own host. So the test runs itself there, once
// for each page; the environment says which page, and with what link.
const (
	asPage     = "PRAXISRELAY_TEST_AS_PAGE"
	pageLink   = "PRAXISRELAY_TEST_PAGE_LINK"
	pageMoves  = "PRAXISRELAY_TEST_PAGE_MOVES" // the commands' arguments that change the network
	pagePolicy = "PRAXISRELAY_TEST_PAGE_POLICY"
)

// moveTime is how long a call may stand still after a participant changed network.
const moveTime = 5 * time.Second

// TestNetworkChangesInACall: the address of one participant changes, the old path is
// dead at once, and the call goes on without a reload.
func TestNetworkChangesInACall(t *testing.T) {
	if seat := os.Getenv(asPage); seat != "" {
		playPage(t, seat)
		return
	}
	tool(t, "chromium", "chromium")
	for _, test := range []struct{ name, mover, policy string }{
		{"patient direct", "patient", "all"},
		{"patient relayed", "patient", "relay"},
		{"doctor direct", "doctor", "all"},
		{"doctor relayed", "doctor", "relay"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// The appliance is on the host of the one who stays.
			h := newHosts(t, [2]string{"10.7.0.1/24", "10.7.0.2/24"})
			for i, name := range h {
				if out, err := exec.Command("ip", "-netns", name, "link", "set", "lo", "up").CombinedOutput(); err != nil {
					t.Fatalf("host %d: %s", i, out)
				}
			}
			file, folder := writeConfigFor(t, "10.7.0.1")
			s := newServed(folder)
			s.daemon = start(t, h.on(0, program("serve", "--config", file)), true, s.serving)
			now := time.Now()
			created, err := s.admin.Create(t.Context(), now, now.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			mover, other := created.Seats[1], created.Seats[0]
			if test.mover == "doctor" {
				mover, other = other, mover
			}
			page := func(host int, seat, link, moves string) *exec.Cmd {
				c := exec.Command(os.Args[0], "-test.run=^TestNetworkChangesInACall$", "-test.v")
				c.Env = append(os.Environ(), asPage+"="+seat, pageLink+"="+link, pageMoves+"="+moves, pagePolicy+"="+test.policy)
				return h.on(host, c)
			}
			still := page(0, other.Name, other.Link, "")
			stillOut := new(bytes.Buffer)
			still.Stdout, still.Stderr = stillOut, stillOut
			leave, err := still.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := still.Start(); err != nil {
				t.Fatal(err)
			}
			out, err := page(1, mover.Name, mover.Link, "yes").CombinedOutput()
			leave.Close()
			if err != nil {
				t.Errorf("the page that moves: %v\n%s", err, out)
			}
			if err := still.Wait(); err != nil {
				t.Errorf("the page that stays: %v\n%s", err, stillOut)
			}
			t.Logf("%s", out)
		})
	}
}

// playPage is one page of the call, on its own host.
func playPage(t *testing.T, seat string) {
	b := newBrowser(t, seat)
	b.open(t, os.Getenv(pageLink), "policy="+os.Getenv(pagePolicy))
	b.join(t)
	if seat == "doctor" {
		b.letIn(t)
	}
	b.wait(t, isConnected)
	b.wait(t, flowing)
	if os.Getenv(pageMoves) == "" {
		io.Copy(io.Discard, os.Stdin) // until the other one is done
		return
	}
	b.arriving(t, 90) // media flows for some seconds
	before := b.media(t).Frames
	for _, args := range [][]string{
		{"address", "delete", "10.7.0.2/24", "dev", "cable"},
		{"address", "add", "10.7.0.3/24", "dev", "cable"},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %s", args, out)
		}
	}
	moved := time.Now()
	var frames int
	b.eval(t, `(async () => {
		for (let last = -1, still = performance.now(); ;) {
			const { Frames } = await `+readStats+`;
			if (Frames !== last) {
				// It stood still, and goes on.
				if (performance.now() - still > 700 && last >= 0) return Frames;
				[last, still] = [Frames, performance.now()];
			}
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	})()`, &frames)
	took := time.Since(moved)
	t.Logf("%d frames before, the call went on after %v", before, took.Round(10*time.Millisecond))
	if took > moveTime {
		t.Errorf("the call went on after %v, want less than %v", took, moveTime)
	}
	b.arriving(t, 30)
	var connections int
	b.do(t, chromedp.Evaluate(`connections.length`, &connections))
	if connections != 1 {
		t.Errorf("%d connections were made for one call", connections)
	}
}
