package main

import "runtime/debug"

// version is set by who builds outside of git: -ldflags "-X main.version=1.2.3".
var version string

// programVersion is what was built: the tag or, between two, what Go calls a
// pseudo-version, which sorts between them.
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
