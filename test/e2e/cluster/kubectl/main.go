// `kubectl create` of the released kubectl, from its own package, for tests: what it writes into an object is not
// guessed. With --dry-run=client it asks no server.
package main

import (
	"os"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd/create"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	factory := util.NewFactory(genericclioptions.NewConfigFlags(true))
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(cli.Run(create.NewCmdCreate(factory, streams)))
}
