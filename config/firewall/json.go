package firewall

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/netip"
	"time"

	"praxisrelay/config/lang"
)

// The JSON form. Names and codes in it are stable and independent of the language; fields may be
// added. Lists are never null.
type jsonPlan struct {
	Version   int           `json:"version"`
	Name      string        `json:"name"`
	Addresses []netip.Addr  `json:"addresses"`
	Key       *jsonKey      `json:"key,omitempty"`
	AsOf      string        `json:"as_of"` // a day
	Language  lang.Language `json:"language"`
	Tables    []jsonTable   `json:"tables"`
}

type jsonKey struct {
	SHA256 string    `json:"sha256"` // in hex
	Ends   time.Time `json:"certificate_ends"`
}

type jsonTable struct {
	ID     Table     `json:"id"`
	Title  string    `json:"title"`
	Rows   []jsonRow `json:"rows"`
	Advice []string  `json:"advice"`
}

type jsonRow struct {
	ID          string       `json:"id"`
	Need        Need         `json:"need"`
	Source      jsonEndpoint `json:"source"`
	Destination jsonEndpoint `json:"destination"`
	Initiator   Party        `json:"initiator"`
	Protocol    string       `json:"protocol"`
	Ports       jsonPorts    `json:"ports"`
	SourcePorts *jsonPorts   `json:"source_ports,omitempty"` // omitted: any
	TLS         bool         `json:"tls"`
	Exempt      bool         `json:"exempt_from_inspection"`
	Idle        int          `json:"idle_seconds"` // 0: irrelevant
	Forwarded   []netip.Addr `json:"forwarded_from"`
	Purpose     string       `json:"purpose"`
}

type jsonEndpoint struct {
	Party     Party          `json:"party"`
	Name      string         `json:"name,omitempty"`
	Addresses []netip.Addr   `json:"addresses"` // empty, like networks: any, or unknown
	Networks  []netip.Prefix `json:"networks"`
}

type jsonPorts struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

func (p Plan) writeJSON(w io.Writer, l lang.Language) error {
	plan := jsonPlan{
		Version: 1, Name: p.Name, Addresses: some(p.Addresses), AsOf: p.AsOf.Format(time.DateOnly),
		Language: l,
	}
	if len(p.Key.SHA256) > 0 {
		plan.Key = &jsonKey{hex.EncodeToString(p.Key.SHA256), p.Key.Ends.UTC()}
	}
	for _, t := range Tables {
		table := jsonTable{ID: t, Title: texts.Titles[t].In(l), Rows: []jsonRow{}, Advice: p.Advice(t, l)}
		for _, r := range p.Table(t) {
			row := jsonRow{
				ID: r.ID, Need: r.Need, Source: jsonEnd(r.Source), Destination: jsonEnd(r.Destination),
				Initiator: r.Source.Party, Protocol: r.Protocol, Ports: jsonPorts(r.Ports),
				TLS: r.TLS, Exempt: r.Exempt,
				Idle: int(r.Idle.Seconds()), Forwarded: some(r.Forwarded), Purpose: r.Purpose(l),
			}
			if r.SourcePorts.Last > 0 {
				ports := jsonPorts(r.SourcePorts)
				row.SourcePorts = &ports
			}
			table.Rows = append(table.Rows, row)
		}
		plan.Tables = append(plan.Tables, table)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(plan)
}

func jsonEnd(e Endpoint) jsonEndpoint {
	return jsonEndpoint{e.Party, e.Name, some(e.Addresses), some(e.Networks)}
}

// some turns a nil list into an empty one.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
