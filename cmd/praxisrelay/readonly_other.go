//go:build !linux

package main

// onReadOnly is for containers, which run on Linux.
func onReadOnly(string) bool { return false }
