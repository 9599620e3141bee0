//go:build !linux

package main

import "fmt"

func mustExecProgram() {}

// devRow is the row of "rota dev".
func devRow() command {
	return command{name: "dev", short: "build a program at each save, and reload it; it needs Linux", run: func(c *call, _ []string) int {
		fmt.Fprintln(c.stderr, "rota: dev needs Linux")
		return failed
	}}
}

// runRow is the row of "rota run".
func runRow() command {
	return command{name: "run", short: "a rota for any program; it needs Linux", run: func(c *call, _ []string) int {
		fmt.Fprintln(c.stderr, "rota: run needs Linux")
		return failed
	}}
}

// keepRow is the row of "rota keep".
func keepRow() command {
	return command{name: "keep", short: "start a server again if its master is killed; it needs Linux", run: func(c *call, _ []string) int {
		fmt.Fprintln(c.stderr, "rota: keep needs Linux")
		return failed
	}}
}
