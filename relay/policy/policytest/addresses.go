// Package policytest has the addresses that tests of the open relay try, in every encoding.
package policytest

import (
	"net/netip"
	"slices"

	"praxisrelay/relay/hostile"
)

// Own are the addresses of this host in all tests.
var Own = []netip.Addr{netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2606:4700::5")}

// Forbidden are addresses that no client may reach unless the operator allows it: those of package
// hostile, and Own in spellings that would otherwise be public.
var Forbidden = slices.Concat(hostile.Forbidden, []string{
	"1.2.3.4", "2606:4700::5", "2606:4700::5efe:1.2.3.4", "2606:4700::200:5efe:1.2.3.4",
})
