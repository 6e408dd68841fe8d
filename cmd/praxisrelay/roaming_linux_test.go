package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"praxisrelay/signal/client"
)

// TestChangingNetworkDuringACall: the patient's network goes away and another one, with
// another address, is there: the call goes on in less than five seconds without a reload.
func TestChangingNetworkDuringACall(t *testing.T) {
	for _, signaling := range []string{"", "signaling=poll"} {
		t.Run(signaling, func(t *testing.T) { changeNetwork(t, signaling) })
	}
}

func changeNetwork(t *testing.T, signaling string) {
	ip := tool(t, "ip", "iproute2")
	if os.Geteuid() != 0 {
		skip(t, "only root makes network namespaces: run the tests as root")
	}
	run := func(format string, args ...any) {
		t.Helper()
		words := strings.Fields(fmt.Sprintf(format, args...))
		if out, err := exec.Command(ip, words...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", words, err, out)
		}
	}
	host := func(name string) string {
		name = fmt.Sprintf("praxis%d%s", os.Getpid(), name)
		run("netns add %s", name)
		t.Cleanup(func() { _ = exec.Command(ip, "netns", "delete", name).Run() })
		run("-netns %s link set lo up", name)
		return name
	}
	server, doctorHost, patientHost := host("s"), host("d"), host("p")
	run("-netns %s address add 10.77.0.1/32 dev lo", server)
	cable := func(to, name string, network int) {
		run("link add %s netns %s type veth peer name %s netns %s", name, server, name, to)
		run("-netns %s address add 10.77.%d.1/24 dev %s", server, network, name)
		run("-netns %s address add 10.77.%d.2/24 dev %s", to, network, name)
		run("-netns %s link set %s up", server, name)
		run("-netns %s link set %s up", to, name)
		run("-netns %s route add default via 10.77.%d.1 metric %d", to, network, network)
	}
	cable(doctorHost, "office", 1)
	cable(patientHost, "wifi", 2)
	cable(patientHost, "mobile", 3)

	file, folder := writeConfig(t)
	edit(t, file, "name: 127.0.0.1", "name: 10.77.0.1", "https: 127.0.0.1:0", "https: 10.77.0.1:443",
		"turn_udp: [127.0.0.1:0]", "turn_udp: [10.77.0.1:3478]", "turn_tcp: [127.0.0.1:0]", "turn_tcp: [10.77.0.1:3478]",
		"turn_tls: [127.0.0.1:0]", "turn_tls: [10.77.0.1:5349]")
	certify(t, folder, "10.77.0.1")
	start(t, hosts{server}.on(0, program("serve", "--config", file)), true, func(line string) bool { return strings.Contains(line, "msg=serving") })
	created, err := client.NewAdmin(filepath.Join(folder, "admin.sock")).Create(t.Context(), time.Now(), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	doctor, patient := newBrowserOn(t, doctorHost, "doctor"), newBrowserOn(t, patientHost, "patient")
	doctor.open(t, created.Seats[0].Link, "policy=relay&"+signaling)
	patient.open(t, created.Seats[1].Link, "policy=relay&"+signaling)
	meet(t, doctor, patient)
	patient.eval(t, `window.sameDocument = true`, nil)

	began := time.Now()
	run("-netns %s link set wifi down", patientHost)
	doctor.arriving(t, 20)
	patient.arriving(t, 20)
	took := time.Since(began)
	t.Logf("the call went on after %v", took.Round(10*time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	var same bool
	if patient.eval(t, `window.sameDocument === true && window.connections.length === 1`, &same); !same {
		t.Error("the page was loaded or the connection made anew")
	}
	for range 3 {
		doctor.arriving(t, 15)
		patient.arriving(t, 15)
	}
}

// certify gives an appliance a certificate for another address.
func certify(t *testing.T, folder, address string) {
	t.Helper()
	made, err := selfSigned(address)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := encodePEM(t, made)
	for name, text := range map[string]string{"cert.pem": certificate, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
