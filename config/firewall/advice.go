package firewall

import (
	"fmt"
	"strings"
	"time"

	"praxisrelay/config"
	"praxisrelay/config/lang"
)

// Advice describes what works with which rows of a table open, and what is not needed.
func (p Plan) Advice(t Table, l lang.Language) (sentences []string) {
	say := func(t text, args ...any) { sentences = append(sentences, t.In(l, args...)) }
	https := p.first("client-https")
	switch t {
	case ClientEgress:
		udp, tcp := p.first("client-turn-udp-"), p.first("client-turn-tcp-")
		say(texts.Alone, https)
		if udp != "" {
			say(texts.Best, https, udp)
		}
		if udp != "" && udp != "443/UDP" && p.first("client-turn-udp-443") == "443/UDP" {
			say(texts.UDP443, udp)
		}
		if tcp != "" {
			say(texts.WithTCP, https, tcp)
		}
		say(texts.Without, https)
		if https != "443/TCP" {
			say(texts.Unusual, https)
		}
		for _, row := range p.Table(t) {
			if row.Need == Optional {
				say(texts.Others)
				break
			}
		}
		say(texts.NotNeeded)
		say(texts.Direct)
		if len(p.Key.SHA256) > 0 {
			say(texts.Key, fmt.Sprintf("%x", p.Key.SHA256), p.Key.Ends.UTC().Format(time.DateOnly))
			say(texts.KeyUse, config.PageURL(p.Name, p.Table(t)[0].Ports.First)) // HTTPS is the first row
		}
	case ApplianceIngress:
		say(texts.IngressAlone, https)
		if p.open {
			say(texts.IngressOpen, p.first("in-relayed"))
		} else {
			say(texts.IngressPaired)
		}
		if p.nat {
			say(texts.IngressNAT)
		}
		if p.acme {
			say(p.challenges(https))
		}
		say(texts.SSH)
	case ApplianceEgress:
		if p.open {
			say(texts.EgressOpen, p.first("in-relayed"))
		} else {
			say(texts.EgressPaired)
		}
		say(texts.EgressSystem)
	}
	return sentences
}

// challenges describes where the authority validates the name: only on these ports (RFC 8555,
// section 8.3; RFC 8737, section 3).
func (p Plan) challenges(https string) text {
	tls, http := https == "443/TCP", p.first("in-http") == "80/TCP"
	switch {
	case tls && http:
		return texts.ACMEBoth
	case tls:
		return texts.ACMETLS
	case http:
		return texts.ACMEHTTP
	}
	return texts.ACMENeither
}

// first returns the port of the first row with an id or, if it ends with a hyphen, a prefix of the
// id; or "".
func (p Plan) first(id string) string {
	for _, row := range p.Rows {
		if row.ID == id || strings.HasSuffix(id, "-") && strings.HasPrefix(row.ID, id) {
			return row.port()
		}
	}
	return ""
}

// port writes ports with their protocol, like 443/TCP.
func (r Row) port() string { return port(r.Protocol, r.Ports) }

func port(protocol string, ports config.Ports) string {
	return span(ports, "-") + "/" + strings.ToUpper(protocol)
}

// span writes ports as the first and last with a separator, or as one.
func span(p config.Ports, separator string) string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d%s%d", p.First, separator, p.Last)
}
