// OpenBao for the tests: its own core, handler, key/value store and Kubernetes auth method, in memory and unsealed, as
// `bao server -dev` has it, without the storage, databases and clouds that the whole program is built with.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"

	"github.com/hashicorp/go-hclog"
	kubeauth "github.com/openbao/openbao/builtin/credential/kubernetes"
	"github.com/openbao/openbao/builtin/logical/kv"
	"github.com/openbao/openbao/helper/namespace"
	baohttp "github.com/openbao/openbao/http"
	"github.com/openbao/openbao/sdk/v2/helper/consts"
	"github.com/openbao/openbao/sdk/v2/logical"
	"github.com/openbao/openbao/sdk/v2/physical/inmem"
	"github.com/openbao/openbao/vault"
)

// noPlugins: all that is mounted is compiled in.
type noPlugins struct{}

func (noPlugins) Contains(string, consts.PluginType) bool { return false }
func (noPlugins) Get(string, consts.PluginType) (func() (any, error), bool) {
	return nil, false
}
func (noPlugins) Keys(consts.PluginType) []string { return nil }
func (noPlugins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Unknown, false
}

func main() {
	address := flag.String("address", "", "host:port to listen on, with TLS")
	certificate := flag.String("cert", "", "file of its certificate, PEM")
	key := flag.String("key", "", "file of its key, PEM")
	rootToken := flag.String("root-token", "", "token that may do everything")
	flag.Parse()

	core, err := unsealed(*rootToken)
	if err != nil {
		log.Fatal(err)
	}
	handler := baohttp.Handler.Handler(&vault.HandlerProperties{Core: core})
	log.Fatal(http.ListenAndServeTLS(*address, *certificate, *key, handler))
}

func unsealed(rootToken string) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		Logger:             logger,
		BuiltinRegistry:    noPlugins{},
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"kubernetes": kubeauth.Factory},
	})
	if err != nil {
		return nil, err
	}
	ctx := namespace.ContextWithNamespace(context.Background(), namespace.RootNamespace)
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one, RecoveryConfig: one})
	if err != nil {
		return nil, err
	}
	if _, err = core.Unseal(made.SecretShares[0]); err != nil {
		return nil, err
	}
	_, err = core.HandleRequest(ctx, &logical.Request{
		Operation:   logical.UpdateOperation,
		ClientToken: made.RootToken,
		Path:        "auth/token/create",
		Data:        map[string]any{"id": rootToken, "policies": []string{"root"}, "no_parent": true},
	})
	return core, err
}
