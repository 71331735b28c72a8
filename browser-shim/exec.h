/* browser-shim exec: runs any program that can use a PKCS#11 module, with the module and a handle of its own for as long as
 * it runs (docs/adr/0033). */
#ifndef KEYWARD_BROWSER_SHIM_EXEC_H
#define KEYWARD_BROWSER_SHIM_EXEC_H

/* exec_main runs the command in argv, whose second entry is "exec", and ends as that did: with its exit code, or by its signal.
 * 100 or 111: nothing was run, and standard error says why. */
int exec_main(int argc, char **argv);

#endif
