// Package listentest says what a net.Listener and a net.PacketConn must do, as
// tests.
package listentest
