//go:build !race

package rotahttp

const raceDetector = false
