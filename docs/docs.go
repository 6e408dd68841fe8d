// Package docs holds the documents, and the one that the program needs itself.
package docs

import _ "embed"

// Example is the shipped configuration: every key with its default and a comment.
//
//go:embed praxisrelay.example.yaml
var Example []byte
