package sitecheck

import "golang.org/x/sys/windows/registry"

// readSystemProxy reads this user's settings, as browsers do.
func readSystemProxy() systemProxy {
	key, err := registry.OpenKey(registry.CURRENT_USER,
		`Software\Microsoft\Windows\CurrentVersion\Internet Settings`, registry.QUERY_VALUE)
	if err != nil {
		return systemProxy{}
	}
	defer key.Close()
	text := func(name string) string { value, _, _ := key.GetStringValue(name); return value }
	enabled, _, _ := key.GetIntegerValue("ProxyEnable")
	return windowsProxy(enabled == 1, text("ProxyServer"), text("ProxyOverride"), text("AutoConfigURL"))
}
