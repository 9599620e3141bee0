// Package e2e proves what rota promises to a server, with real processes, sockets and
// signals: the start, reloads, signals, crashes and broken releases. The packages below it
// do the same for one part each. They use public packages only, and package
// internal/e2etest to start processes. Each file is about one promise.
package e2e
