package apptest

import (
	"fmt"
	"testing"
)

// Media is a summary of getStats for the current connection.
type Media struct {
	Local, Remote string // candidate types of the nominated pair
	RelayProtocol string
	Inbound       uint32 // SSRC of the video that arrives
	Outbound      uint32 // SSRC of the video that is sent
	Frames        int    // decoded frames
	Sound         int    // packets of sound that arrived
	URL           string // of the TURN server
}

// ReadStats is a JavaScript expression for the current connection's Media.
const ReadStats = `(async () => {
	const stats = [...(await window.connections.at(-1).getStats()).values()];
	const byID = (id) => stats.find((s) => s.id === id) ?? {};
	const pair = byID(stats.find((s) => s.type === 'transport')?.selectedCandidatePairId);
	const local = byID(pair.localCandidateId), remote = byID(pair.remoteCandidateId);
	const media = (kind) => (type) => stats.find((s) => s.type === type && s.kind === kind) ?? {};
	const video = media('video'), audio = media('audio');
	return {
		Local: local.candidateType, Remote: remote.candidateType, RelayProtocol: local.relayProtocol, URL: local.url,
		Inbound: video('inbound-rtp').ssrc, Outbound: video('outbound-rtp').ssrc, Frames: video('inbound-rtp').framesDecoded,
		Sound: audio('inbound-rtp').packetsReceived,
	};
})()`

// Media waits for a nominated pair, which Firefox does not always have, and returns its statistics.
func (b *Browser) Media(t *testing.T) (m Media) {
	t.Helper()
	b.until(t, "("+ReadStats+").then((m) => m.Local && m)", &m)
	return m
}

// WaitForFrames waits until that many more frames of the other side's video have arrived.
func (b *Browser) WaitForFrames(t *testing.T, more int) {
	t.Helper()
	before := b.Media(t).Frames
	b.Wait(t, fmt.Sprintf(`(%s).then((m) => m.Frames >= %d)`, ReadStats, before+more))
}
