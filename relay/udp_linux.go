package relay

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchConn reads and writes datagrams with recvmmsg and sendmmsg. On a socket bound to every
// address of the host, it also reads and sets the packets' local address (IP_PKTINFO), so that an
// answer leaves from the address that received the request.
type batchConn struct {
	raw     syscall.RawConn
	local   netip.AddrPort
	six     bool // an AF_INET6 socket
	pktinfo bool
	writers sync.Pool // of *messages, since several readers may write here
}

func (b *batchConn) init(conn *net.UDPConn, local netip.AddrPort) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	b.raw, b.local, b.pktinfo = raw, local, local.Addr().IsUnspecified()
	b.writers.New = func() any { return newMessages(nil) }
	var failed error
	err = raw.Control(func(fd uintptr) {
		domain, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			failed = err
			return
		}
		b.six = domain == unix.AF_INET6
		switch {
		case b.pktinfo && b.six:
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		case b.pktinfo:
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// messages is the kernel's view of a batch.
type messages struct {
	headers [batchSize]mmsghdr
	iovecs  [batchSize]unix.Iovec
	names   [batchSize]unix.RawSockaddrInet6 // large enough for IPv4 too
	control [batchSize]control

	// The system call's arguments and results are fields, so that call is created only once.
	call  func(fd uintptr)
	first int
	count int
	done  int
	errno syscall.Errno
}

type mmsghdr struct {
	header unix.Msghdr
	size   uint32
}

type control struct {
	header unix.Cmsghdr
	data   [24]byte // an in_pktinfo or in6_pktinfo
}

const (
	pktinfo4 = 12 // bytes of an in_pktinfo: interface, local address, destination
	pktinfo6 = 20 // bytes of an in6_pktinfo: address, interface
)

func newMessages(buffers [][]byte) *messages {
	m := new(messages)
	for i := range m.headers {
		h := &m.headers[i].header
		h.Name, h.Iov = (*byte)(unsafe.Pointer(&m.names[i])), &m.iovecs[i]
		h.SetIovlen(1)
		if buffers != nil {
			m.iovecs[i].Base = &buffers[i][0]
			m.iovecs[i].SetLen(len(buffers[i]))
		}
	}
	return m
}

type batchReader struct {
	*batchConn
	*messages
	buffers [][]byte
	receive func(fd uintptr) bool // the system call, created once
}

func (b *batchConn) reader(buffers [][]byte) *batchReader {
	m := newMessages(buffers)
	receive := func(fd uintptr) bool {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&m.headers[0])), batchSize, 0, 0, 0)
		m.done, m.errno = int(n), errno
		return errno != unix.EAGAIN && errno != unix.EINTR
	}
	return &batchReader{b, m, buffers, receive}
}

// read waits for datagrams and stores them in in.
func (b *batchReader) read(in []packet) (int, error) {
	for {
		for i := range b.headers {
			h := &b.headers[i].header
			h.Namelen = unix.SizeofSockaddrInet6
			if b.pktinfo {
				h.Control = (*byte)(unsafe.Pointer(&b.control[i]))
				h.SetControllen(int(unsafe.Sizeof(control{})))
			}
		}
		if err := b.raw.Read(b.receive); err != nil {
			return 0, err
		}
		switch b.errno {
		case 0:
		case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH:
			continue // reports an earlier answer that did not arrive
		default:
			return 0, b.errno
		}
		n := 0
		for i := range b.done {
			if size := int(b.headers[i].size); size > 0 {
				in[n].client.Client, in[n].client.Server = addrPort(&b.names[i]), b.local
				if b.pktinfo {
					in[n].client.Server = netip.AddrPortFrom(b.control[i].local(), b.local.Port())
				}
				in[n].data = b.buffers[i][:size]
				n++
			}
		}
		if n > 0 {
			return n, nil
		}
	}
}

// write sends a run of packets and returns how many the kernel did not take. These are dropped.
func (b *batchConn) write(run []packet) (unsent int) {
	m := b.writers.Get().(*messages)
	defer b.writers.Put(m)
	if m.call == nil {
		m.call = func(fd uintptr) {
			n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
				uintptr(unsafe.Pointer(&m.headers[m.first])), uintptr(m.count), unix.MSG_DONTWAIT, 0, 0)
			m.done, m.errno = int(n), errno
		}
	}
	for len(run) > 0 {
		n := min(len(run), batchSize)
		for i, p := range run[:n] {
			m.prepare(b, i, p)
		}
		for m.first = 0; m.first < n; m.first += m.done {
			m.count = n - m.first
			if b.raw.Control(m.call) != nil { // raw.Write would serialize writers
				return unsent
			}
			if m.errno != 0 || m.done <= 0 {
				m.done = 1 // the first one failed: too large, or unreachable
				unsent++
			}
		}
		run = run[n:]
	}
	return unsent
}

// prepare describes one packet to the kernel.
func (m *messages) prepare(b *batchConn, i int, p packet) {
	h := &m.headers[i].header
	h.Namelen = putAddrPort(&m.names[i], p.client.Client, b.six)
	m.iovecs[i].Base = &p.data[0]
	m.iovecs[i].SetLen(len(p.data))
	if b.pktinfo {
		h.Control = (*byte)(unsafe.Pointer(&m.control[i]))
		h.SetControllen(m.control[i].set(p.client.Server.Addr(), b.six))
	}
}

// socket addresses

// addrPort reads a sender's address. A link-local address has its interface's index as the zone.
func addrPort(name *unix.RawSockaddrInet6) netip.AddrPort {
	if name.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), swap(four.Port))
	}
	addr := netip.AddrFrom16(name.Addr).Unmap()
	if name.Scope_id != 0 {
		addr = addr.WithZone(strconv.FormatUint(uint64(name.Scope_id), 10))
	}
	return netip.AddrPortFrom(addr, swap(name.Port))
}

func putAddrPort(name *unix.RawSockaddrInet6, addr netip.AddrPort, six bool) uint32 {
	if six {
		scope, _ := strconv.ParseUint(addr.Addr().Zone(), 10, 32) // 0 without a zone
		*name = unix.RawSockaddrInet6{
			Family: unix.AF_INET6, Port: swap(addr.Port()), Addr: addr.Addr().As16(), Scope_id: uint32(scope),
		}
		return unix.SizeofSockaddrInet6
	}
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(name)) = unix.RawSockaddrInet4{
		Family: unix.AF_INET, Port: swap(addr.Port()), Addr: addr.Addr().As4(),
	}
	return unix.SizeofSockaddrInet4
}

// swap converts between host and network order.
func swap(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

// local returns the address that a received packet was sent to.
func (c *control) local() netip.Addr {
	if c.header.Level == unix.IPPROTO_IPV6 {
		return netip.AddrFrom16([16]byte(c.data[:16])).Unmap()
	}
	return netip.AddrFrom4([4]byte(c.data[8:12]))
}

// set writes the address that a packet is to leave from, and returns the length of the control
// message.
func (c *control) set(local netip.Addr, six bool) int {
	*c = control{}
	size := pktinfo4
	if six {
		size = pktinfo6
		c.header.Level, c.header.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		ip := local.As16()
		copy(c.data[:], ip[:])
	} else {
		c.header.Level, c.header.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		ip := local.As4()
		copy(c.data[4:], ip[:])
	}
	c.header.SetLen(unix.CmsgLen(size))
	return unix.CmsgSpace(size)
}

// forbidBroadcast revokes what Go allows every UDP socket: one packet to the network's broadcast
// address would reach all hosts in it.
func forbidBroadcast(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 0)
	})
	return errors.Join(err, failed)
}
