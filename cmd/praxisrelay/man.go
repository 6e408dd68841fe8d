//go:build manpages

package main

import (
	"log"
	"os"

	"github.com/spf13/cobra/doc"
)

// Built with the tag manpages this is no praxisrelay, but what writes its man pages into
// a folder. What renders them is no part of a server.
func init() {
	if len(os.Args) != 2 {
		log.Fatal("one argument is expected: the folder")
	}
	root := rootCommand()
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "praxisrelay", Manual: "praxisrelay"}
	if err := doc.GenManTree(root, header, os.Args[1]); err != nil {
		log.Fatal(err)
	}
	os.Exit(0)
}
