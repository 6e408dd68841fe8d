package apptest

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tunnel forwards a local port to an address on another host. On this host it does nothing.
func tunnel(t *testing.T, namespace, address string) string {
	t.Helper()
	if namespace == "" {
		return address
	}
	return AcceptHere(t, func(here net.Conn) {
		there, err := DialOn(namespace, address)
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

// DialOn connects from another host.
func DialOn(namespace, address string) (net.Conn, error) {
	return OnHost(namespace, func() (net.Conn, error) {
		return net.DialTimeout("tcp", address, 10*time.Second)
	})
}

// OnHost opens a socket on another host. A socket stays in the namespace in which it was opened.
func OnHost[T any](namespace string, open func() (T, error)) (T, error) {
	type result struct {
		Socket T
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
			r.Socket, r.err = open()
		}
	}()
	r := <-results
	return r.Socket, r.err
}
