//go:build !linux

package main

import (
	"fmt"
	"io"
)

func mustExecProgram() {}

func runProgram(_ []string, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "rota: run needs Linux")
	return failed
}
