// Package server has the programs that the tests of several packages start, and what these
// tests know of them.
package server
