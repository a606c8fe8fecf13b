import { setRegistrar } from './lifecycle.ts'

/** Lets scorers be registered: what knows stores is loaded when the first one is. */
setRegistrar(() => import('./registrar.ts'))
