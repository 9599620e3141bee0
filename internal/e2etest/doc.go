// Package e2etest runs programs as real processes and proves what rota promises about
// them. It is the one harness of the packages in e2e and of the modules beside the library.
//
// A test binary is also each of the programs that its tests start: [Main] runs one of
// its helpers if the environment names it. [Start] starts such a helper, [StartProgram] a
// program that has a module of its own. Every process has a mark in its environment,
// which its children inherit: the end of a test stops what it started, fails if any
// process with the mark is left, and ends no process without it.
//
// Tests wait for conditions ([WaitFor]), not for times. What the master's log says is in
// log.go alone. A [Load] counts every request and never retries one.
package e2etest
