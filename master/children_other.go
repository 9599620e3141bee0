//go:build !linux

package master
