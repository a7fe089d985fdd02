/** What JavaScript users can call, and the type of each argument, as TypeScript reads them in lib/index.ts. */
import { join } from 'node:path';
import * as ts from 'typescript';
import { root } from './synth';

export type Model =
  | { readonly kind: 'text' | 'number' | 'flag' }
  | { readonly kind: 'enum' | 'class'; readonly name: string }
  | { readonly kind: 'list' | 'record'; readonly of: Model }
  | { readonly kind: 'struct'; readonly name: string; readonly props: readonly Param[] };

export interface Param {
  readonly name: string;
  readonly isOptional: boolean;
  readonly isRest: boolean;
  readonly model: Model;
}

export interface Callable {
  readonly className: string;
  /** Absent: the constructor. */
  readonly method?: string;
  readonly isStatic: boolean;
  readonly params: readonly Param[];
}

/** Every public constructor, factory and method with parameters; a constructor without its scope and id. */
export function publicCallables(): Callable[] {
  const path = join(root, 'lib', 'index.ts');
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (file) => ts.sys.readFile(file));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([path], options);
  const reader = new Reader(program.getTypeChecker());
  return reader.classesOf(program.getSourceFile(path)!).flatMap((node) => reader.callablesOf(node));
}

class Reader {
  constructor(private readonly checker: ts.TypeChecker) {}

  classesOf(file: ts.SourceFile): ts.ClassDeclaration[] {
    return (
      this.checker
        .getExportsOfModule(this.checker.getSymbolAtLocation(file)!)
        .map(({ valueDeclaration }) => valueDeclaration)
        .filter((node): node is ts.ClassDeclaration => node !== undefined && ts.isClassDeclaration(node))
        // A plugin is called by cdk8s-cli, not by users.
        .filter((node) => ts.getJSDocTags(node).every(({ tagName }) => tagName.text !== 'internal'))
    );
  }

  callablesOf(node: ts.ClassDeclaration): Callable[] {
    const className = node.name!.text;
    return node.members.flatMap((member): Callable[] => {
      const flags = ts.getCombinedModifierFlags(member);
      if (flags & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) return [];
      if (ts.isConstructorDeclaration(member)) {
        return [{ className, isStatic: false, params: this.paramsOf(member) }];
      }
      if (!ts.isMethodDeclaration(member) || member.name.getText().startsWith('_')) return [];
      const isStatic = (flags & ts.ModifierFlags.Static) !== 0;
      return [{ className, method: member.name.getText(), isStatic, params: this.paramsOf(member) }];
    });
  }

  private paramsOf(node: ts.SignatureDeclaration): Param[] {
    return node.parameters
      .filter(({ name }) => !['scope', 'id'].includes(name.getText()))
      .map((param) => this.paramOf(param));
  }

  private paramOf(param: ts.ParameterDeclaration): Param {
    return {
      name: param.name.getText(),
      isOptional: this.checker.isOptionalParameter(param),
      isRest: param.dotDotDotToken !== undefined,
      model: this.modelOf(this.checker.getTypeAtLocation(param)),
    };
  }

  private modelOf(given: ts.Type): Model {
    const type = this.checker.getNonNullableType(given);
    if (type.flags & ts.TypeFlags.EnumLike)
      return { kind: 'enum', name: (type.aliasSymbol ?? type.symbol).name };
    if (type.flags & ts.TypeFlags.StringLike) return { kind: 'text' };
    if (type.flags & ts.TypeFlags.NumberLike) return { kind: 'number' };
    if (type.flags & ts.TypeFlags.BooleanLike) return { kind: 'flag' };
    if (this.checker.isArrayType(type)) {
      return { kind: 'list', of: this.modelOf(this.checker.getTypeArguments(type as ts.TypeReference)[0]) };
    }
    const member = type.getStringIndexType();
    if (member !== undefined) return { kind: 'record', of: this.modelOf(member) };
    if (type.symbol.flags & ts.SymbolFlags.Class) return { kind: 'class', name: type.symbol.name };
    return {
      kind: 'struct',
      name: type.symbol.name,
      props: type.getProperties().map((prop) => this.propOf(prop)),
    };
  }

  private propOf(prop: ts.Symbol): Param {
    return {
      name: prop.name,
      isOptional: (prop.flags & ts.SymbolFlags.Optional) !== 0,
      isRest: false,
      model: this.modelOf(this.checker.getTypeOfSymbol(prop)),
    };
  }
}
