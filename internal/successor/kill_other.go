//go:build !linux

package successor

func kill(string) {} // there is no upgrade
