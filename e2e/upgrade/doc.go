// Package upgrade proves that the master can be replaced: nothing is lost, also when the new
// master fails.
package upgrade
