package config

import (
	"net"
	"strconv"
	"strings"
)

// PageURL returns the URL of an appliance's page, from its name or address.
func PageURL(name string, port uint16) string {
	host := net.JoinHostPort(name, strconv.Itoa(int(port)))
	if port == 443 {
		host = strings.TrimSuffix(host, ":443")
	}
	return "https://" + host + "/"
}
