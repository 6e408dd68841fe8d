package main

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tunnel listens here and connects to an address as it is on another host. On this host
// there is nothing to do.
func tunnel(t *testing.T, namespace, address string) string {
	t.Helper()
	if namespace == "" {
		return address
	}
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
