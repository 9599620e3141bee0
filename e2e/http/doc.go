// Package http proves that HTTP clients get whole answers when workers are replaced, over the
// listener alone and with package rotahttp.
package http
