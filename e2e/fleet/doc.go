// Package fleet has the tests of several hosts behind a load balancer: HAProxy and nginx with the
// configurations of deploy. The hosts are network namespaces, or where these aren't allowed,
// addresses of the loopback. docs/fleet.md has what comes out.
package fleet
