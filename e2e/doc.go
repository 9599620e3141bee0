// Package e2e proves the promises of rota with real processes, real sockets and
// real signals, through public packages only: one promise a file.
//
// The test binary plays every part: run with ROTA_E2E=name it is the helper of
// that name, a small server as a user would write it, which becomes a master, which
// starts the same binary as its workers.
package e2e
