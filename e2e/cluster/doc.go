// Package cluster proves what package master promises to a program that starts and manages its own
// workers: events, exits, messages, handles and settings. The test is the master.
package cluster
