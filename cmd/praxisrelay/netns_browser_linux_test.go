package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/sys/unix"
)

// newBrowserOn starts a browser on a host of its own. It is driven through a connection
// that is made there.
func newBrowserOn(t *testing.T, namespace, name string) *browser {
	t.Helper()
	args := []string{"netns", "exec", namespace, tool(t, "chromium", "chromium"), "--remote-debugging-port=0", "--user-data-dir=" + t.TempDir()}
	for flag, value := range browserFlags {
		if value == true {
			args = append(args, "--"+flag)
		} else {
			args = append(args, fmt.Sprintf("--%s=%v", flag, value))
		}
	}
	c := exec.Command(tool(t, "ip", "iproute2"), args...)
	output, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	var at *url.URL
	for lines := bufio.NewScanner(output); at == nil; {
		if !lines.Scan() {
			t.Fatalf("%s: the browser ended before it could be driven", name)
		}
		if _, rest, ok := strings.Cut(lines.Text(), "DevTools listening on "); ok {
			if at, err = url.Parse(rest); err != nil {
				t.Fatal(err)
			}
		}
	}
	go func() { _, _ = io.Copy(io.Discard, output) }()
	at.Host = tunnel(t, namespace, at.Host)
	return drive(t, name, func() (context.Context, context.CancelFunc) {
		return chromedp.NewRemoteAllocator(context.Background(), at.String(), chromedp.NoModifyURL)
	})
}

// tunnel listens here and connects to an address as it is on another host.
func tunnel(t *testing.T, namespace, address string) string {
	t.Helper()
	return acceptHere(t, func(here net.Conn) {
		there, err := dialOn(namespace, address)
		if err != nil {
			here.Close()
			return
		}
		for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
			go func() {
				_, _ = io.Copy(way[0], way[1])
				here.Close()
				there.Close()
			}()
		}
	})
}

// dialOn connects from another host.
func dialOn(namespace, address string) (net.Conn, error) {
	return onHost(namespace, func() (net.Conn, error) { return net.DialTimeout("tcp", address, 10*time.Second) })
}

// onHost opens a socket on another host: it stays in the namespace that it was made in.
func onHost[T any](namespace string, open func() (T, error)) (T, error) {
	type result struct {
		socket T
		err    error
	}
	results := make(chan result)
	go func() {
		var r result
		defer func() { results <- r }()
		runtime.LockOSThread() // the thread ends with this goroutine, in the other namespace
		var fd int
		if fd, r.err = unix.Open("/run/netns/"+namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0); r.err != nil {
			return
		}
		defer unix.Close(fd)
		if r.err = unix.Setns(fd, unix.CLONE_NEWNET); r.err == nil {
			r.socket, r.err = open()
		}
	}()
	r := <-results
	return r.socket, r.err
}
